-- Newest state of an order; an older rev changes nothing.
-- $1 text: id; $2 integer: rev; $3 smallint: district; $4 text: case, may be empty; $5 text: incident;
-- $6 text: unit; $7 text: state; $8 to $10 timestamptz: sent, updated, deadline; $11 jsonb: body
-- returns: nothing
insert into work_order (id, rev, district, case_id, incident, unit, state, sent, updated, deadline, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (id) do update
set rev = excluded.rev, case_id = excluded.case_id, incident = excluded.incident, unit = excluded.unit, state = excluded.state,
    updated = excluded.updated, deadline = excluded.deadline, body = excluded.body
where work_order.rev < excluded.rev
