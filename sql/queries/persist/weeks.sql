-- Make sure that roll-ups of these days can be stored.
-- $1 date[]: days, UTC
-- returns: made integer, number of partitions made
select reading_minute_weeks($1) as made
