-- Something that could not be used.
-- $1 text: id; $2 text: code; $3 text: message; $4 text: source; $5 timestamptz: ingest; $6 jsonb: args; $7 bytea: raw
-- returns: nothing
insert into dead_letter (id, code, message, source, ingest, args, raw) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do nothing
