-- The ownership in force where persist stands in each district's outputs.
-- returns: district smallint, owner bigint, mark bigint: offset at which it began
select district, owner, mark from output_fence
