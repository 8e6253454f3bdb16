-- All devices with their series, in order of the number.
-- returns: id text, district smallint, place, kind, name_zh, name_en text, lon, lat float8 (degrees),
--   attributes jsonb, numbers integer[], metrics text[]
select d.id, d.district, d.place, d.kind, d.name_zh, d.name_en, d.lon, d.lat, d.attributes,
       coalesce(array_agg(s.number order by s.number) filter (where s.number is not null), '{}') as numbers,
       coalesce(array_agg(s.metric order by s.number) filter (where s.number is not null), '{}') as metrics
from device d
left join series s on s.device = d.id
group by d.id
order by d.district, d.id
