-- A unit's orders, newest first.
-- $1 text: unit; $2 integer: how many at most
-- returns: district smallint, body jsonb (yiwang.model.Order)
select district, body from work_order where unit = $1 order by sent desc limit $2::integer
