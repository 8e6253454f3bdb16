-- Newest state of a case; an older rev changes nothing.
-- $1 text: id; $2 integer: rev; $3 smallint: district; $4 text: incident; $5 text: category;
-- $6 smallint: severity 1..4; $7 text: stage; $8 to $11 timestamptz: opened, updated, deadline, closed; $12 jsonb: body
-- returns: nothing
insert into case_file (id, rev, district, incident, category, severity, stage, opened, updated, deadline, closed, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (id) do update
set rev = excluded.rev, incident = excluded.incident, severity = excluded.severity, stage = excluded.stage, updated = excluded.updated,
    deadline = excluded.deadline, closed = excluded.closed, body = excluded.body
where case_file.rev < excluded.rev
