-- Orders of some incidents.
-- $1 text[]: ids of incidents
-- returns: district smallint, body jsonb (yiwang.model.Order)
select district, body from work_order where incident = any($1::text[]) order by sent, id
