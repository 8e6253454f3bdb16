-- Add or change a place.
-- $1 text: id; $2 smallint: district; $3 text: zone; $4 text: kind; $5 text: name zh; $6 text: name en;
-- $7, $8 float8: longitude, latitude in degrees; $9 jsonb: attributes
-- returns: nothing
insert into place (id, district, zone, kind, name_zh, name_en, lon, lat, attributes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (id) do update
set district = excluded.district, zone = excluded.zone, kind = excluded.kind, name_zh = excluded.name_zh,
    name_en = excluded.name_en, lon = excluded.lon, lat = excluded.lat, attributes = excluded.attributes
