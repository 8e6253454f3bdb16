-- Migrations applied to a schema, oldest first.
-- $1 text: name of the schema
-- returns: number integer, name text, checksum text, level text
select number, name, checksum, level from yiwang.migration where schema_name = $1 order by number
