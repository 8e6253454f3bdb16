-- How many places there are.
-- returns: n bigint
select count(*) as n from place
