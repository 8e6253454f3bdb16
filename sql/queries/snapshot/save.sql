-- Keep a worker's state; one that is older than what is stored changes nothing.
-- $1 text: role; $2 smallint: district; $3 bytea: state; $4, $5, $6 bigint: next offsets of feed, commands, outputs
-- returns: district smallint; no row when a newer state was there
insert into snapshot as s (role, district, state, feed, commands, outputs)
values ($1, $2, $3, $4, $5, $6)
on conflict (role, district) do update
set state = excluded.state, feed = excluded.feed, commands = excluded.commands, outputs = excluded.outputs, at = now()
where s.feed <= excluded.feed and s.commands <= excluded.commands and s.outputs <= excluded.outputs
returning district
