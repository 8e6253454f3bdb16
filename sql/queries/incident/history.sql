-- Incidents by time of opening, newest first, a page at a time.
-- $1 text: only this state (open, cleared, closed); null: all
-- $2 timestamptz, $3 text: opened and id of the last one of the page before ('infinity', '' for the first page)
-- $4 integer: how many at most
-- returns: district smallint, opened timestamptz, id text, body jsonb (yiwang.model.Incident)
select district, opened, id, body
from incident
where ($1::text is null or state = $1) and (opened, id) < ($2::timestamptz, $3::text)
order by opened desc, id desc
limit $4::integer
