-- Write a block of a state that changed over the old one.
-- $1 text: role; $2 smallint: district; $3 text: part; $4 integer: block; $5 bytea: its bytes
-- returns: nothing
insert into snapshot_block (role, district, part, block, data) values ($1, $2, $3, $4, $5)
on conflict (role, district, part, block) do update set data = excluded.data
