-- What persist knows of a district.
-- $1 smallint: district
-- returns: block integer, next_offset bigint, data bytea, in order of the block
select block, next_offset, data from persist_memory where district = $1 order by block
