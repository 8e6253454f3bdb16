-- Take away blocks that a state no longer has.
-- $1 text: role; $2 smallint: district; $3 text[]: parts; $4 integer[]: blocks
-- returns: nothing
delete from snapshot_block s
using unnest($3::text[], $4::integer[]) as b (part, block)
where s.role = $1 and s.district = $2 and s.part = b.part and s.block = b.block
