-- Drop some partitions (chunks) of a run's readings.
-- $1 text: name of the schema; $2 integer: how many at most
-- returns: count integer, how many were dropped
select yiwang.drop_partitions($1, $2) as count
