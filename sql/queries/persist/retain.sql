-- Drop readings of whole days.
-- $1 date: first day that is kept, UTC
-- returns: dropped integer, number of partitions or chunks dropped
select reading_drop_before($1) as dropped
