-- Make sure that readings of these days can be stored.
-- $1 date[]: days, UTC
-- returns: made integer, number of partitions made
select reading_days($1) as made
