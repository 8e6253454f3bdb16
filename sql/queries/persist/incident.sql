-- Newest state of an incident; an older rev changes nothing.
-- $1 text: id; $2 integer: rev; $3 smallint: district; $4 text: domain; $5 text: kind; $6 text: place;
-- $7 text: state; $8, $9 smallint: severity, peak 1..4; $10 to $13 timestamptz: opened, updated, cleared, closed;
-- $14 text: standing; $15 float8: confidence 0..1; $16 text: situation, may be empty;
-- $17, $18 timestamptz: confirmed, annunciated; $19 jsonb: body
-- returns: nothing
insert into incident (id, rev, district, domain, kind, place, state, severity, peak,
                      opened, updated, cleared, closed, standing, confidence, situation, confirmed, annunciated, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
on conflict (id) do update
set rev = excluded.rev, state = excluded.state, severity = excluded.severity, peak = excluded.peak,
    updated = excluded.updated, cleared = excluded.cleared, closed = excluded.closed,
    standing = excluded.standing, confidence = excluded.confidence, situation = excluded.situation,
    confirmed = excluded.confirmed, annunciated = excluded.annunciated, body = excluded.body
where incident.rev < excluded.rev
