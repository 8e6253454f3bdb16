-- A series over a long span of time, thinned for a curve: as reading/curve, but from roll-ups where there are any.
-- Before the first and after the last of them readings are taken.
-- hot
-- $1 smallint: district; $2 integer: series; $3 timestamptz: from, included; $4 timestamptz: to, excluded;
-- $5 integer: number of buckets (at most twice as many rows come back)
-- returns: t timestamptz (event time; of a roll-up within its minute), value float8 (metric's unit), quality
--   smallint, in order of time
with rolled as (
    select minute, count, min, max, last_t from reading_minute
    where district = $1::smallint and series = $2::integer
      and minute >= $3::timestamptz and minute <= $4::timestamptz - interval '1 minute'
), edge as (
    select min(minute) as first, max(minute) + interval '1 minute' as last from rolled
), all_of_them as (
    select case when count = 1 then last_t else minute + interval '15 seconds' end as t, min as value,
           0::smallint as quality
    from rolled
    union all
    select minute + interval '45 seconds', max, 0::smallint from rolled where count > 1
    union all
    select t, value, quality from reading
    where district = $1::smallint and series = $2::integer and value <> 'NaN'
      and t >= $3 and t < coalesce((select first from edge), $4)
    union all
    select t, value, quality from reading
    where district = $1::smallint and series = $2::integer and value <> 'NaN'
      and t >= coalesce((select last from edge), $4) and t < $4
), numbered as (
    select t, value, quality,
           width_bucket(extract(epoch from t), extract(epoch from $3::timestamptz),
                        extract(epoch from $4::timestamptz), $5::integer) as bucket
    from all_of_them
), ranked as (
    select t, value, quality,
           row_number() over (partition by bucket order by value, t) as from_below,
           row_number() over (partition by bucket order by value desc, t) as from_above
    from numbered
)
select t, value, quality from ranked where from_below = 1 or from_above = 1 order by t
