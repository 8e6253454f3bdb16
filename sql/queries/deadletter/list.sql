-- What could not be used, newest first, a page at a time; without the raw bytes.
-- $1 text: only this code; null: all
-- $2 text: only this source; null: all
-- $3 timestamptz, $4 text: ingest and id of the last one of the page before ('infinity', '' for the first page)
-- $5 integer: how many at most
-- returns: id, code, message, source text, ingest timestamptz (wall clock), args jsonb, bytes integer (length of raw)
select id, code, message, source, ingest, args, length(raw) as bytes
from dead_letter
where ($1::text is null or code = $1) and ($2::text is null or source = $2)
  and (ingest, id) < ($3::timestamptz, $4::text)
order by ingest desc, id desc
limit $5::integer
