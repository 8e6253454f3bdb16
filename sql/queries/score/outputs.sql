-- How many things of each sort the run has stored.
-- returns: what text, state text, count bigint
select 'incident' as what, state, count(*) as count from incident group by state
union all select 'case', stage, count(*) from case_file group by stage
union all select 'order', state, count(*) from work_order group by state
union all select 'finding', case when level = 0 then 'over' else 'on' end, count(*) from finding group by 2
union all select 'command', case when ok then 'ok' else 'refused' end, count(*) from command_result group by 2
union all select 'trouble', code, sum(count)::bigint from trouble group by code
union all select 'dead_letter', code, count(*) from dead_letter group by code
order by what, state
