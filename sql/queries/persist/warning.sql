-- Newest state of an outside warning; messages come in the feed's order, so the later one wins.
-- $1 text: id; $2 smallint: district; $3 text: event; $4 smallint: level 1 red .. 4 blue; $5 boolean: cancelled;
-- $6, $7 timestamptz: begins, ends; $8 jsonb: body
-- returns: nothing
insert into warning (id, district, event, level, cancelled, t, until, body)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (district, id) do update
set event = excluded.event, level = excluded.level, cancelled = excluded.cancelled, t = excluded.t,
    until = excluded.until, body = excluded.body
