-- Cases that are not closed, oldest first.
-- returns: district smallint, body jsonb (yiwang.model.Case)
select district, body from case_file where stage <> 'closed' order by opened, id
