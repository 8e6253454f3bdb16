-- Move a partition's next offset on, if it is still where the writer believes; else another worker has it.
-- $1 text: topic; $2 integer: partition; $3 bigint: offset the batch begins at, null for a partition never
-- stored from; $4 bigint: next offset after the batch
-- returns: partition integer; no row when the partition was somewhere else
insert into persisted as p (topic, partition, next_offset)
select $1::text, $2::integer, $4::bigint
where $3::bigint is null or exists (select from persisted where topic = $1 and partition = $2)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
where p.next_offset = $3
returning partition
