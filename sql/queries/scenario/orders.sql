-- Every order of the run, newest state, in order of sending.
-- returns: body text, JSON of yiwang.model.Order
select body::text from work_order order by sent, id
