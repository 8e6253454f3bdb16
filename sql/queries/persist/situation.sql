-- Newest state of a situation; an older rev changes nothing.
-- $1 text: id; $2 integer: rev; $3 smallint: district; $4 text: kind; $5 text: state;
-- $6, $7 smallint: severity, peak 1..4; $8 integer: sites so far; $9 to $11 timestamptz: opened, updated, closed;
-- $12 jsonb: body
-- returns: nothing
insert into situation (id, rev, district, kind, state, severity, peak, sites, opened, updated, closed, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (id) do update
set rev = excluded.rev, state = excluded.state, severity = excluded.severity, peak = excluded.peak,
    sites = excluded.sites, updated = excluded.updated, closed = excluded.closed, body = excluded.body
where situation.rev < excluded.rev
