-- Devices of a district with their series: what ingest needs of them.
-- $1 smallint: district
-- returns: id, kind text, numbers integer[], metrics text[]
select d.id, d.kind,
       coalesce(array_agg(s.number order by s.number) filter (where s.number is not null), '{}') as numbers,
       coalesce(array_agg(s.metric order by s.number) filter (where s.number is not null), '{}') as metrics
from device d
left join series s on s.device = d.id
where d.district = $1
group by d.id
