-- Add or change a unit.
-- $1 text: id; $2 smallint: district; $3 text: skill; $4 text: name zh; $5 text: name en;
-- $6, $7 float8: longitude, latitude in degrees; $8 boolean: on duty
-- returns: nothing
insert into unit (id, district, skill, name_zh, name_en, lon, lat, on_duty)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (id) do update
set district = excluded.district, skill = excluded.skill, name_zh = excluded.name_zh,
    name_en = excluded.name_en, lon = excluded.lon, lat = excluded.lat, on_duty = excluded.on_duty
