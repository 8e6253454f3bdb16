-- Readings that are stored.
-- returns: n bigint
select count(*) as n from reading
