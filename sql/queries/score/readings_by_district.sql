-- Readings of the run by district. Reads everything.
-- returns: district smallint, stored bigint, late bigint, first timestamptz, last timestamptz (event time)
select district, count(*) as stored, count(*) filter (where quality & 4 <> 0) as late, min(t) as first, max(t) as last
from reading group by district order by district
