-- Cases of some incidents.
-- $1 text[]: ids of incidents
-- returns: district smallint, body jsonb (yiwang.model.Case)
select district, body from case_file where incident = any($1::text[]) order by opened, id
