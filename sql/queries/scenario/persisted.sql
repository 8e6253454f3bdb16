-- How far persist is.
-- returns: topic text, partition integer, next_offset bigint
select topic, partition, next_offset from persisted
