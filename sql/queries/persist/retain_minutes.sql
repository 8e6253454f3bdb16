-- Drop roll-ups of whole weeks.
-- $1 date: first day that is kept, UTC
-- returns: dropped integer, number of partitions or chunks dropped
select reading_minute_drop_before($1) as dropped
