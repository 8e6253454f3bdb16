-- One change of a finding's level.
-- $1 text: id; $2 bigint: t, ns UTC; $3 smallint: level 0..4; $4 smallint: district; $5 bigint: n of the output;
-- $6, $7 float8: value, threshold in the metric's unit; $8 text: reason
-- returns: nothing
insert into finding_change (id, t_ns, level, district, n, value, threshold, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
