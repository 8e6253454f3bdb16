-- The ownership in force at the offset "outputs" of the kept state.
-- $1 text: role; $2 smallint: district
-- returns: kept bigint; no row where nobody has taken the district over yet
select kept from ownership where role = $1 and district = $2
