-- Some places.
-- $1 text[]: ids
-- returns: as registry/places
select id, district, zone, kind, name_zh, name_en, lon, lat, attributes from place
where id = any ($1::text[])
order by district, id
