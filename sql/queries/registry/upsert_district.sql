-- Add or change a district.
-- $1 smallint: number; $2 text: code; $3 text: name zh; $4 text: name en
-- returns: nothing
insert into district (number, code, name_zh, name_en) values ($1, $2, $3, $4)
on conflict (number) do update
set code = excluded.code, name_zh = excluded.name_zh, name_en = excluded.name_en
