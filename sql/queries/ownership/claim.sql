-- Take a district over: from now on older owners can keep no state.
-- $1 text: role; $2 smallint: district
-- returns: owner bigint, the new ownership; kept bigint, the one in force at the offset "outputs" of the kept state
insert into ownership as o (role, district, owner) values ($1, $2, 1)
on conflict (role, district) do update set owner = o.owner + 1
returning owner, kept
