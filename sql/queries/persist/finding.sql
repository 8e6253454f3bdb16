-- Newest state of a finding.
-- $1 text: id; $2 smallint: district; $3 bigint: n of the output; $4 text: kind; $5 integer: series;
-- $6 text: device; $7 text: place; $8 smallint: level 0..4; $9, $10 timestamptz: since, t; $11 jsonb: body
-- returns: nothing
insert into finding (id, district, n, kind, series, device, place, level, since, t, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (id) do update
set n = excluded.n, level = excluded.level, since = excluded.since, t = excluded.t, body = excluded.body
where finding.n < excluded.n
