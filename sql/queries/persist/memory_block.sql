-- Keep a further block of what persist knows of a district.
-- $1 smallint: district; $2 integer: block, from 1; $3 bigint: offset; $4 bytea: block
-- returns: nothing
insert into persist_memory (district, block, next_offset, data) values ($1, $2, $3, $4)
on conflict (district, block) do update set next_offset = excluded.next_offset, data = excluded.data
