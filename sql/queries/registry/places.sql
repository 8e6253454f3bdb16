-- All places.
-- returns: id text, district smallint, zone, kind, name_zh, name_en text, lon, lat float8 (degrees), attributes jsonb
select id, district, zone, kind, name_zh, name_en, lon, lat, attributes from place order by district, id
