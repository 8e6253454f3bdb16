-- Readings of the run: how many are stored and how many of them more than once. Reads everything.
-- returns: stored bigint, doubled bigint (rows beyond the first of the same district, series and time)
select coalesce(sum(n), 0)::bigint as stored, coalesce(sum(n - 1), 0)::bigint as doubled
from (select count(*) as n from reading group by district, series, t) same
