-- Keep the head of what persist knows of a district, if it still stands where the writer believes.
-- $1 smallint: district; $2 bigint: offset it stands at, null for a district never kept; $3 bigint: new offset;
-- $4 bytea: block 0
-- returns: block integer; no row when it was somewhere else
insert into persist_memory as m (district, block, next_offset, data)
select $1::smallint, 0, $3::bigint, $4::bytea
where $2::bigint is null or exists (select from persist_memory where district = $1 and block = 0)
on conflict (district, block) do update set next_offset = excluded.next_offset, data = excluded.data
where m.next_offset = $2
returning block
