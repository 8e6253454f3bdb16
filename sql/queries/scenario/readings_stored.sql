-- How many readings are stored, and how many of them stand there more than once.
-- returns: stored bigint, doubled bigint
select coalesce(sum(n), 0)::bigint, coalesce(sum(n - 1), 0)::bigint
from (select count(*) as n from reading group by district, series, t) as per_reading
