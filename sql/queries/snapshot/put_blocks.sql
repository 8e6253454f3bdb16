-- Write the blocks of a state that changed over the old ones.
-- $1 text: role; $2 smallint: district; $3 text[]: parts; $4 integer[]: blocks; $5 bytea[]: their bytes
-- returns: nothing
insert into snapshot_block (role, district, part, block, data)
select $1, $2, part, block, data from unnest($3::text[], $4::integer[], $5::bytea[]) as b (part, block, data)
on conflict (role, district, part, block) do update set data = excluded.data
