-- The rules that came into force last.
-- returns: version text, body jsonb, at timestamptz (database clock)
select version, body, at from rules order by at desc limit 1
