-- Rules that were in force at some time.
-- $1 text: version, empty for those that came last
-- returns: body jsonb
select body from rules where $1::text in (version, '') order by at desc limit 1
