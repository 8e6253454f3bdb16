-- level: plain
-- Readings in native range partitions, one a day (UTC), made ahead and, for old data, on demand.
create table reading (
    t        timestamptz      not null,
    value    double precision not null,
    series   integer          not null,
    district smallint         not null,
    quality  smallint         not null
) partition by range (t);
create index reading_series on reading (district, series, t);
comment on table  reading is 'Readings, each stored once; a partition a day.';
comment on column reading.t is 'Event time, microseconds.';
comment on column reading.value is 'In the metric''s own unit (domain pack).';
comment on column reading.series is 'Number of the series within its district.';
comment on column reading.quality is 'Bits: 1 suspect, 2 device clock wrong (t is ingest time), 4 late.';

-- The new table is made alone and then attached: attaching waits for no writer of other days.
create function reading_days(days date[]) returns integer
language plpgsql as $$
declare
    here  text := current_schema();
    day   date;
    name  text;
    made  integer := 0;
begin
    foreach day in array days loop
        name := 'reading_' || to_char(day, 'YYYYMMDD');
        continue when to_regclass(format('%I.%I', here, name)) is not null;
        perform pg_advisory_xact_lock(hashtext(here || '.reading_days'));
        continue when to_regclass(format('%I.%I', here, name)) is not null;
        execute format('create table %I.%I (like %I.reading including defaults)', here, name, here);
        execute format(
            'alter table %I.reading attach partition %I.%I for values from (%L) to (%L)',
            here, here, name,
            to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00'
        );
        made := made + 1;
    end loop;
    return made;
end
$$;
comment on function reading_days(date[]) is 'Make the partitions of these days (UTC) that are missing; returns how many.';

create function reading_drop_before(day date) returns integer
language plpgsql as $$
declare
    part    record;
    dropped integer := 0;
begin
    for part in
        select child.relname as name
        from pg_inherits i
        join pg_class child on child.oid = i.inhrelid
        where i.inhparent = 'reading'::regclass
          and child.relname < 'reading_' || to_char(day, 'YYYYMMDD')
        order by child.relname
    loop
        execute format('drop table %I.%I', current_schema(), part.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
comment on function reading_drop_before(date) is 'Retention: drop whole partitions of days before this one (UTC).';
