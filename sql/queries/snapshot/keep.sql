-- Keep a worker's state, whose blocks are written in the same transaction; an older one changes nothing.
-- $1 text: role; $2 smallint: district; $3 bytea: manifest; $4, $5, $6 bigint: next offsets of feed, commands, outputs
-- returns: district smallint; no row when a newer state was there
insert into snapshot as s (role, district, manifest, feed, commands, outputs)
values ($1, $2, $3, $4, $5, $6)
on conflict (role, district) do update
set state = null, manifest = excluded.manifest,
    feed = excluded.feed, commands = excluded.commands, outputs = excluded.outputs, at = now()
where s.feed <= excluded.feed and s.commands <= excluded.commands and s.outputs <= excluded.outputs
returning district
