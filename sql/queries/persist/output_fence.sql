-- Note the ownership from which a district's outputs count.
-- $1 smallint: district; $2 bigint: owner; $3 bigint: offset of its first message in the outputs
-- returns: nothing
insert into output_fence (district, owner, mark) values ($1, $2, $3)
on conflict (district) do update set owner = excluded.owner, mark = excluded.mark
where output_fence.owner < excluded.owner
