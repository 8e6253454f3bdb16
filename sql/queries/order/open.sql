-- Orders that are still somebody's business, oldest first.
-- returns: district smallint, body jsonb (yiwang.model.Order)
select district, body from work_order
where state not in ('declined', 'verified', 'cancelled')
order by sent, id
