-- How many devices there are, by kind.
-- returns: kind text, n bigint
select kind, count(*) as n from device group by kind order by kind
