-- What became of a command; the first answer stays.
-- $1 text: command; $2 smallint: district; $3 text: by; $4 boolean: ok; $5 text: code; $6 timestamptz: t; $7 jsonb: body
-- returns: nothing
insert into command_result (command_id, district, by, ok, code, t, body) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (command_id) do nothing
