-- Record a migration as applied.
-- $1 text: schema; $2 integer: number; $3 text: file name; $4 text: SHA-256 hex; $5 text: level, empty for all
-- returns: nothing
insert into yiwang.migration (schema_name, number, name, checksum, level) values ($1, $2, $3, $4, $5)
