-- A chunk reaches so far that the leaves of its index that are written to fit into the server's memory; once they no
-- longer do, storing slows down for good. Each series is written to at the end of its own stretch of the index, so that is
-- one leaf a series at most, and of a young chunk no more than it has: a day of a thousand series is just right, a day of
-- a million far too much. Before there is a chunk the number of series says how much may come (each once a second);
-- later what came does. Native partitions stay days and weeks.
create function chunk_bytes() returns double precision
language sql stable as $$ select 0.5 * pg_size_bytes(current_setting('shared_buffers')) $$;
comment on function chunk_bytes() is 'So much of a chunk''s index may be written to: half of the buffers.';

create function chunk_rows() returns double precision
language sql stable as $$ select greatest(2e6, chunk_bytes() / 56) $$;
comment on function chunk_rows() is 'So many rows a chunk of many series may hold: 56 bytes of index a row, as measured with a million series.';

create function chunk_series() returns double precision
language sql stable as $$
    select case when reltuples < 0 then (select count(*) from series)::double precision else reltuples end
    from pg_class where oid = 'series'::regclass
$$;
comment on function chunk_series() is 'About how many series there are.';

create function chunk_step(rows_per_s double precision, longest interval) returns interval
language sql stable as $$
    select coalesce(max(step), interval '2 minutes')
    from unnest(
        array['2 min', '5 min', '10 min', '30 min', '1 h', '2 h', '4 h', '12 h', '1 d', '7 d']::interval[]
    ) step
    where step <= longest
      and (extract(epoch from step) * rows_per_s <= chunk_rows() or chunk_series() * 8192 <= chunk_bytes())
$$;
comment on function chunk_step(double precision, interval) is 'How long a chunk is at so many rows a second; 8192: a leaf.';

do $$
begin
    if (select relkind = 'p' from pg_class where oid = 'reading'::regclass) then
        create function reading_fit(newest timestamptz) returns integer
        language sql as $body$ select 0 $body$;
    else
        create function chunk_begin(name text, rows_per_s double precision, longest interval) returns void
        language plpgsql as $body$
        begin
            if not exists (
                select from timescaledb_information.chunks
                where hypertable_schema = current_schema() and hypertable_name = name
            ) then
                perform set_chunk_time_interval(name::regclass, chunk_step(rows_per_s, longest));
            end if;
        end
        $body$;
        comment on function chunk_begin(text, double precision, interval) is 'How long the first chunk is.';

        create or replace function reading_days(days date[]) returns integer
        language plpgsql as $body$
        begin
            perform chunk_begin('reading', chunk_series(), interval '1 day');
            return 0;
        end
        $body$;
        create or replace function reading_minute_weeks(days date[]) returns integer
        language plpgsql as $body$
        begin
            perform chunk_begin('reading_minute', chunk_series() / 60, interval '7 days');
            return 0;
        end
        $body$;

        create function chunk_fit(name text, row_bytes integer, longest interval, newest timestamptz) returns integer
        language plpgsql as $body$
        declare
            chunk     record;
            covered_s double precision;
            present   interval;
            wanted    interval;
        begin
            select c.range_start, c.range_end, format('%I.%I', c.chunk_schema, c.chunk_name)::regclass as heap
            into chunk
            from timescaledb_information.chunks c
            where c.hypertable_schema = current_schema() and c.hypertable_name = name and c.range_start <= newest
              -- rows may have begun to come in the midst of one that has none before it
              and exists (
                  select from timescaledb_information.chunks before
                  where before.hypertable_schema = current_schema() and before.hypertable_name = name
                    and before.range_end = c.range_start
              )
            order by c.range_start desc
            limit 1;
            covered_s := extract(epoch from least(newest, chunk.range_end) - chunk.range_start);
            if covered_s is null or covered_s < 60 then
                return 0;
            end if;
            wanted := chunk_step(pg_relation_size(chunk.heap) / row_bytes / covered_s, longest);
            select time_interval into present
            from timescaledb_information.dimensions
            where hypertable_schema = current_schema() and hypertable_name = name;
            if wanted = present then
                return 0;
            end if;
            perform set_chunk_time_interval(name::regclass, wanted);
            return 1;
        end
        $body$;
        comment on function chunk_fit(text, integer, interval, timestamptz) is
            'Make the chunks to come as long as the rows of the newest one ask for; 1 where that is a change.';

        create function reading_fit(newest timestamptz) returns integer
        language sql as $body$
            select chunk_fit('reading', 52, interval '1 day', newest)
                 + chunk_fit('reading_minute', 92, interval '7 days', newest)
        $body$;
        comment on table reading is 'Readings, each stored once; a chunk reaches two minutes to a day, see reading_fit.';
    end if;
end
$$;
comment on function reading_fit(timestamptz) is
    'Fit the chunks of readings and roll-ups to what comes, up to this event time; returns how many tables changed.';
