-- The next offset of every partition that has been stored from.
-- returns: topic text, partition integer, next_offset bigint
select topic, partition, next_offset from persisted
