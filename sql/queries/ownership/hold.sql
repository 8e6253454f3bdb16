-- Keep a state as its owner, in the transaction that keeps it.
-- $1 text: role; $2 smallint: district; $3 bigint: owner; $4 bigint: ownership in force at the state's offset "outputs"
-- returns: owner bigint; no row when another has taken over
update ownership set kept = $4 where role = $1 and district = $2 and owner = $3
returning owner
