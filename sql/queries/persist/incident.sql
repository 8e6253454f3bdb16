-- Newest state of an incident; an older rev changes nothing.
-- $1 text: id; $2 integer: rev; $3 smallint: district; $4 text: domain; $5 text: kind; $6 text: place;
-- $7 text: state; $8, $9 smallint: severity, peak 1..4; $10 to $13 timestamptz: opened, updated, cleared, closed;
-- $14 jsonb: body
-- returns: nothing
insert into incident (id, rev, district, domain, kind, place, state, severity, peak,
                      opened, updated, cleared, closed, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (id) do update
set rev = excluded.rev, state = excluded.state, severity = excluded.severity, peak = excluded.peak,
    updated = excluded.updated, cleared = excluded.cleared, closed = excluded.closed, body = excluded.body
where incident.rev < excluded.rev
