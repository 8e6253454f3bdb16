-- Runs: the living city and every replay, each with topics, a schema and consumer groups of its own.
create table yiwang.run (
    name        text             primary key check (name ~ '^[a-z][a-z0-9-]{0,39}$'),
    kind        text             not null check (kind in ('live', 'demo', 'replay')),
    ticks       text             not null check (ticks in ('agent', 'player')),
    districts   integer          not null check (districts > 0),
    scenario    text             not null default '',
    speed       double precision not null default 1,
    created_ns  bigint           not null,
    state       text             not null check (state in ('running', 'finished', 'stopped')),
    schema_name text             not null unique
);
comment on table  yiwang.run is 'Runs: the living city and every replay.';
comment on column yiwang.run.ticks is 'Who sends ticks: the district agent by the wall clock, or the player.';
comment on column yiwang.run.districts is 'Number of districts = partitions of the feed.';
comment on column yiwang.run.speed is 'Of a replay, times real time; 0: as fast as it goes.';
comment on column yiwang.run.created_ns is 'Wall clock, ns since 1970-01-01 UTC.';
comment on column yiwang.run.schema_name is 'Database schema that holds the run''s tables.';

create function yiwang.create_run_schema(run_schema text) returns void
language plpgsql as $$
begin
    execute format('create schema if not exists %I', run_schema);
end
$$;
comment on function yiwang.create_run_schema(text) is 'Create the schema of a run.';

-- A replay of years has thousands of partitions; dropping them in portions stays within max_locks_per_transaction.
create function yiwang.drop_partitions(run_schema text, at_most integer) returns integer
language plpgsql as $$
declare
    part    record;
    dropped integer := 0;
begin
    for part in
        select child_space.nspname as space, child.relname as name
        from pg_inherits i
        join pg_class child on child.oid = i.inhrelid
        join pg_namespace child_space on child_space.oid = child.relnamespace
        join pg_class parent on parent.oid = i.inhparent
        join pg_namespace parent_space on parent_space.oid = parent.relnamespace
        where parent_space.nspname = run_schema and parent.relname = 'reading'
        limit at_most
    loop
        execute format('drop table %I.%I', part.space, part.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
comment on function yiwang.drop_partitions(text, integer) is
    'Drop up to at_most partitions (chunks) of a run''s readings; returns how many.';

create function yiwang.drop_run_schema(run_schema text) returns void
language plpgsql as $$
begin
    execute format('drop schema if exists %I cascade', run_schema);
    delete from yiwang.migration where schema_name = run_schema;
    delete from yiwang.run where run.schema_name = run_schema;
end
$$;
comment on function yiwang.drop_run_schema(text) is 'Drop a run: its schema, its bookkeeping and its row.';
