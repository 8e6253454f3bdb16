-- Merge roll-ups with what is stored of the same minutes.
-- $1 smallint: district; $2 integer[]: series; $3 bigint[]: minute since 1970-01-01 UTC; $4 integer[]: count;
-- $5 to $8 float8[]: min, mean, max, last; $9 bigint[]: time of the last reading, microseconds since 1970-01-01 UTC;
-- of each column one value a roll-up, no series and minute twice
-- returns: nothing
insert into reading_minute as m (district, series, minute, count, min, mean, max, last, last_t)
select $1::smallint, series, to_timestamp(minute * 60), count, min, mean, max, last,
       timestamptz 'epoch' + last_us * interval '1 microsecond'
from unnest($2::integer[], $3::bigint[], $4::integer[], $5::float8[], $6::float8[], $7::float8[], $8::float8[],
            $9::bigint[]) as given (series, minute, count, min, mean, max, last, last_us)
on conflict (district, series, minute) do update set
    count  = m.count + excluded.count,
    min    = least(m.min, excluded.min),
    mean   = m.mean + (excluded.mean - m.mean) * excluded.count / (m.count + excluded.count),
    max    = greatest(m.max, excluded.max),
    last   = case when excluded.last_t > m.last_t then excluded.last else m.last end,
    last_t = greatest(m.last_t, excluded.last_t)
