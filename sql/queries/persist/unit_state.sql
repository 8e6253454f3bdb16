-- Newest state of a unit; an older rev changes nothing.
-- $1 text: id; $2 integer: rev; $3 smallint: district; $4 boolean: on duty; $5 text: order, empty: free;
-- $6 timestamptz: t; $7 jsonb: body
-- returns: nothing
insert into unit_state (id, rev, district, on_duty, work_order, t, body)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do update
set rev = excluded.rev, district = excluded.district, on_duty = excluded.on_duty,
    work_order = excluded.work_order, t = excluded.t, body = excluded.body
where unit_state.rev < excluded.rev
