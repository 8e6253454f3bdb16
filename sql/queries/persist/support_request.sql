-- A district's request for support.
-- $1 text: id; $2 smallint: district; $3 text: incident; $4 timestamptz: t; $5 jsonb: body
-- returns: nothing
insert into support_request (id, district, incident, t, body) values ($1, $2, $3, $4, $5)
on conflict (id) do nothing
