-- A series over a span of time, thinned for a curve: of each bucket the lowest and the highest reading. Before the
-- first reading that is stored (older ones were dropped, or none are kept) roll-ups stand for readings.
-- hot
-- $1 smallint: district; $2 integer: series; $3 timestamptz: from, included; $4 timestamptz: to, excluded;
-- $5 integer: number of buckets (at most twice as many rows come back)
-- returns: t timestamptz (event time; of a roll-up within its minute), value float8 (metric's unit), quality
--   smallint, in order of time
with first as (
    select min(t) as t from reading
    where district = $1::smallint and series = $2::integer and t >= $3 and t < $4
), rolled as (
    select minute, count, min, max, last_t from reading_minute
    where district = $1::smallint and series = $2::integer and minute >= $3::timestamptz
      and minute <= coalesce((select t from first), $4::timestamptz) - interval '1 minute'
), all_of_them as (
    select t, value, quality from reading
    where district = $1::smallint and series = $2::integer and t >= $3 and t < $4 and value <> 'NaN'
    union all
    select case when count = 1 then last_t else minute + interval '15 seconds' end, min, 0::smallint from rolled
    union all
    select minute + interval '45 seconds', max, 0::smallint from rolled where count > 1
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
