-- The offset of the feed that what persist knows of each district stands for.
-- returns: district smallint, next_offset bigint
select district, next_offset from persist_memory where block = 0
