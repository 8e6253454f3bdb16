-- Drop blocks that are no longer part of what persist knows of a district.
-- $1 smallint: district; $2 integer: first block to drop
-- returns: nothing
delete from persist_memory where district = $1 and block >= $2
