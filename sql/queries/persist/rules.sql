-- Rules that came into force.
-- $1 text: version; $2 jsonb: body
-- returns: nothing
insert into rules (version, body) values ($1, $2) on conflict (version) do nothing
