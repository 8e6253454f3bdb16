-- A series over a span of time, thinned for a curve: of each bucket the lowest and the highest reading.
-- hot
-- $1 smallint: district; $2 integer: series; $3 timestamptz: from, included; $4 timestamptz: to, excluded;
-- $5 integer: number of buckets (at most twice as many rows come back)
-- returns: t timestamptz (event time), value float8 (metric's unit), quality smallint, in order of time
with numbered as (
    select t, value, quality,
           width_bucket(extract(epoch from t), extract(epoch from $3::timestamptz),
                        extract(epoch from $4::timestamptz), $5::integer) as bucket
    from reading
    where district = $1::smallint and series = $2::integer and t >= $3 and t < $4 and value <> 'NaN'
), ranked as (
    select t, value, quality,
           row_number() over (partition by bucket order by value, t) as from_below,
           row_number() over (partition by bucket order by value desc, t) as from_above
    from numbered
)
select t, value, quality from ranked where from_below = 1 or from_above = 1 order by t
