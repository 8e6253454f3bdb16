-- The blocks of a state.
-- $1 text: role; $2 smallint: district
-- returns: part text, block integer, data bytea
select part, block, data from snapshot_block where role = $1 and district = $2
