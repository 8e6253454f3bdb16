-- The state a worker left for a partition.
-- $1 text: role; $2 smallint: district
-- returns: state bytea (versions 1 and 2, else null), manifest bytea, feed, commands, outputs bigint (next offsets)
select state, manifest, feed, commands, outputs from snapshot where role = $1 and district = $2
