-- Take away all blocks of a state that nothing is known of.
-- $1 text: role; $2 smallint: district
-- returns: nothing
delete from snapshot_block where role = $1 and district = $2
