-- A district's answer to a request for support.
-- $1 text: request; $2 smallint: district that answers; $3 boolean: granted; $4 timestamptz: t; $5 jsonb: body
-- returns: nothing
insert into support_offer (request, district, granted, t, body) values ($1, $2, $3, $4, $5)
on conflict (request, district) do nothing
