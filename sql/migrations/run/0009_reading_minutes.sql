-- Minute roll-ups of readings, made in the stream; kept longer than the readings themselves. Weeks are made ahead
-- and, for old data, on demand; where readings lie in a hypertable, roll-ups do too.
create table reading_minute_shape (
    minute   timestamptz      not null,
    last_t   timestamptz      not null,
    min      double precision not null,
    mean     double precision not null,
    max      double precision not null,
    last     double precision not null,
    series   integer          not null,
    count    integer          not null check (count > 0),
    district smallint         not null
);

do $$
declare
    in_partitions constant boolean := (select relkind = 'p' from pg_class where oid = 'reading'::regclass);
begin
    if in_partitions then
        create table reading_minute (like reading_minute_shape including all) partition by range (minute);
    else
        create table reading_minute (like reading_minute_shape including all);
        perform create_hypertable('reading_minute', 'minute', chunk_time_interval => interval '7 days',
                                  create_default_indexes => false);
    end if;
    create unique index reading_minute_series on reading_minute (district, series, minute);

    if in_partitions then
        -- as reading_days: a new table is made alone and then attached
        create function reading_minute_weeks(days date[]) returns integer
        language plpgsql as $body$
        declare
            here   text := current_schema();
            monday date;
            name   text;
            made   integer := 0;
        begin
            for monday in select distinct date_trunc('week', day)::date from unnest(days) day order by 1 loop
                name := 'reading_minute_' || to_char(monday, 'YYYYMMDD');
                continue when to_regclass(format('%I.%I', here, name)) is not null;
                perform pg_advisory_xact_lock(hashtext(here || '.reading_days'));
                continue when to_regclass(format('%I.%I', here, name)) is not null;
                execute format('create table %I.%I (like %I.reading_minute including all)', here, name, here);
                execute format(
                    'alter table %I.reading_minute attach partition %I.%I for values from (%L) to (%L)',
                    here, here, name, to_char(monday, 'YYYY-MM-DD') || ' 00:00:00+00',
                    to_char(monday + 7, 'YYYY-MM-DD') || ' 00:00:00+00'
                );
                made := made + 1;
            end loop;
            return made;
        end
        $body$;
        create function reading_minute_drop_before(day date) returns integer
        language plpgsql as $body$
        declare
            part    record;
            dropped integer := 0;
        begin
            for part in
                select child.relname as name
                from pg_inherits i
                join pg_class child on child.oid = i.inhrelid
                where i.inhparent = 'reading_minute'::regclass
                  and child.relname <= 'reading_minute_' || to_char(day - 7, 'YYYYMMDD')
                order by child.relname
            loop
                execute format('drop table %I.%I', current_schema(), part.name);
                dropped := dropped + 1;
            end loop;
            return dropped;
        end
        $body$;
    else
        create function reading_minute_weeks(days date[]) returns integer
        language sql as $body$ select 0 $body$;
        create function reading_minute_drop_before(day date) returns integer
        language sql as $body$
            select count(*)::integer
            from drop_chunks('reading_minute', older_than => day::timestamp at time zone 'UTC')
        $body$;
    end if;

    if not in_partitions and current_setting('timescaledb.license', true) = 'timescale' then
        alter table reading_minute set (
            timescaledb.compress,
            timescaledb.compress_segmentby = 'district, series',
            timescaledb.compress_orderby = 'minute'
        );
        perform add_compression_policy('reading_minute', interval '30 days');
        create function reading_policies(keep_days integer, keep_minute_days integer) returns boolean
        language plpgsql as $body$
        begin
            perform remove_retention_policy('reading', if_exists => true);
            perform remove_retention_policy('reading_minute', if_exists => true);
            if keep_days > 0 then
                perform add_retention_policy('reading', make_interval(days => keep_days));
            end if;
            if keep_minute_days > 0 then
                perform add_retention_policy('reading_minute', make_interval(days => keep_minute_days));
            end if;
            return true;
        end
        $body$;
    else
        create function reading_policies(keep_days integer, keep_minute_days integer) returns boolean
        language sql as $body$ select false $body$;
    end if;
end
$$;
drop table reading_minute_shape;
comment on table  reading_minute is 'Roll-ups of readings: one row a series and minute with finite readings.';
comment on column reading_minute.minute is 'Start of the minute, event time.';
comment on column reading_minute.last_t is 'Event time of the newest reading of the minute, microseconds.';
comment on column reading_minute.min is 'In the metric''s own unit, as mean, max and last.';
comment on column reading_minute.last is 'The newest reading''s value; of two of one time the one that came first.';
comment on column reading_minute.count is 'Readings in it, late ones and repeats too.';
comment on function reading_minute_weeks(date[]) is 'Make the partitions for these days (UTC) that are missing; returns how many. Nothing to do for chunks.';
comment on function reading_minute_drop_before(date) is 'Retention: drop whole weeks of roll-ups before this day (UTC).';
comment on function reading_policies(integer, integer) is
    'Have the server keep readings and roll-ups so many days, 0: for ever; false where it cannot (below Community).';

create table persist_memory (
    district    smallint not null,
    block       integer  not null,
    next_offset bigint   not null,
    data        bytea    not null,
    primary key (district, block)
);
comment on table  persist_memory is 'What persist knows of the series at an offset of the feed: newest times, open minutes, what was kept last.';
comment on column persist_memory.next_offset is 'Roll-ups hold the readings of all messages before it, or the memory does.';
comment on column persist_memory.data is 'Packed columns; a block is overwritten, never added to.';
alter table persist_memory alter column data set storage external;  -- packed already
alter table persist_memory set (
    autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false,
    toast.autovacuum_vacuum_threshold = 20000, toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_cost_delay = 0, toast.vacuum_truncate = false
);
