-- The newest time stored of some series, to tell late readings.
-- hot
-- $1 smallint: district; $2 integer[]: series
-- returns: series integer, t timestamptz (event time); no row for a series without readings
select s.series, r.t
from unnest($2::integer[]) as s(series)
cross join lateral (
    select t from reading
    where reading.district = $1::smallint and reading.series = s.series
    order by t desc limit 1
) r
