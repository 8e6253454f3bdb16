-- Whether each unit is free.
-- returns: district smallint, body jsonb (yiwang.model.UnitState)
select district, body from unit_state order by district, id
