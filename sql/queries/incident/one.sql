-- One incident.
-- $1 text: id
-- returns: district smallint, body jsonb (yiwang.model.Incident)
select district, body from incident where id = $1
