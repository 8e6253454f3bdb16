-- How far the district workers' safe state is.
-- returns: district smallint, feed bigint, commands bigint, outputs bigint: next offsets
select district, feed, commands, outputs from snapshot where role = 'district'
