-- All units.
-- returns: id text, district smallint, skill, name_zh, name_en text, lon, lat float8 (degrees), on_duty boolean
select id, district, skill, name_zh, name_en, lon, lat, on_duty from unit order by district, id
