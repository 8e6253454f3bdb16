-- level: timescale_apache
-- Readings in a hypertable, a chunk a day. The same columns and functions as on native partitions.
create table reading (
    t        timestamptz      not null,
    value    double precision not null,
    series   integer          not null,
    district smallint         not null,
    quality  smallint         not null
);
select create_hypertable('reading', 't', chunk_time_interval => interval '1 day', create_default_indexes => false);
create index reading_series on reading (district, series, t);
comment on table  reading is 'Readings, each stored once; a chunk a day.';
comment on column reading.t is 'Event time, microseconds.';
comment on column reading.value is 'In the metric''s own unit (domain pack).';
comment on column reading.series is 'Number of the series within its district.';
comment on column reading.quality is 'Bits: 1 suspect, 2 device clock wrong (t is ingest time), 4 late.';

create function reading_days(days date[]) returns integer
language sql as $$ select 0 $$;
comment on function reading_days(date[]) is 'Nothing to do here: TimescaleDB makes chunks by itself.';

create function reading_drop_before(day date) returns integer
language sql as $$
    select count(*)::integer from drop_chunks('reading', older_than => day::timestamp at time zone 'UTC')
$$;
comment on function reading_drop_before(date) is 'Retention: drop whole chunks that end before this day (UTC).';
