-- Every incident of the run, newest state, in order of opening.
-- returns: body text, JSON of yiwang.model.Incident
select body::text from incident order by opened, id
