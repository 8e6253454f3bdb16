-- The newest reading of every series of a district that has one.
-- hot
-- $1 smallint: district
-- returns: series integer, t timestamptz (event time), value float8 (metric's unit), quality smallint
select s.number as series, r.t, r.value, r.quality
from series s
cross join lateral (
    select t, value, quality from reading
    where reading.district = $1::smallint and reading.series = s.number
    order by t desc limit 1
) r
where s.district = $1
