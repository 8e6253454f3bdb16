-- One dead letter with its raw bytes.
-- $1 text: id
-- returns: id, code, message, source text, ingest timestamptz (wall clock), args jsonb, raw bytea
select id, code, message, source, ingest, args, raw from dead_letter where id = $1
