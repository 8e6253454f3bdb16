-- Register a run, or bring its facts up to date; creation time and state of a known run stay.
-- $1 text: name; $2 text: kind; $3 text: ticks; $4 integer: districts; $5 text: scenario;
-- $6 float8: speed, times real time; $7 bigint: created, ns UTC; $8 text: state; $9 text: schema
-- returns: nothing
insert into yiwang.run (name, kind, ticks, districts, scenario, speed, created_ns, state, schema_name)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (name) do update
set kind = excluded.kind, ticks = excluded.ticks, districts = excluded.districts,
    scenario = excluded.scenario, speed = excluded.speed
