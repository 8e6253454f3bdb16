-- Incidents that are not closed, newest state, oldest first.
-- returns: district smallint, body jsonb (yiwang.model.Incident)
select district, body from incident where state <> 'closed' order by opened, id
