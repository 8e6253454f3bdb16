-- Some devices with their series.
-- $1 text[]: ids
-- returns: as registry/devices
select d.id, d.district, d.place, d.kind, d.name_zh, d.name_en, d.lon, d.lat, d.attributes,
       coalesce(array_agg(s.number order by s.number) filter (where s.number is not null), '{}') as numbers,
       coalesce(array_agg(s.metric order by s.number) filter (where s.number is not null), '{}') as metrics
from device d
left join series s on s.device = d.id
where d.id = any ($1::text[])
group by d.id
order by d.district, d.id
