-- Something a district could not use.
-- $1 smallint: district; $2 bigint: n of the output; $3 text: code; $4 bigint: count; $5 timestamptz: t; $6 jsonb: body
-- returns: nothing
insert into trouble (district, n, code, count, t, body) values ($1, $2, $3, $4, $5, $6)
on conflict (district, n) do nothing
