-- What screens show: everything that is not over, and the newest of what is.
-- $1 integer: how many closed incidents, situations, cases and orders, each, and how many requests and offers of support
-- returns: body text, JSON of yiwang.model bodies; of each type the longest closed first
with
closed_incident as (
    select id, updated from incident where state = 'closed' order by updated desc limit $1
),
closed_situation as (
    select id, updated from situation where state = 'closed' order by updated desc limit $1
),
closed_case as (
    select id, updated from case_file where stage = 'closed' order by updated desc limit $1
),
over_order as (
    select id, updated from work_order
    where state in ('declined', 'verified', 'cancelled') order by updated desc limit $1
)
(
    select body::text from incident
    where state <> 'closed' or id in (select id from closed_incident)
       or id in (select incident from case_file where stage <> 'closed')
    order by updated
)
union all
(
    select body::text from situation
    where state <> 'closed' or id in (select id from closed_situation)
    order by updated
)
union all
(
    select body::text from case_file
    where stage <> 'closed' or id in (select id from closed_case)
    order by updated
)
union all
(
    select body::text from work_order
    where state not in ('declined', 'verified', 'cancelled') or id in (select id from over_order)
    order by updated
)
union all
(select body::text from unit_state)
union all
(select body::text from (select body, t from support_request order by t desc limit $1) as r order by t)
union all
(select body::text from (select body, t from support_offer order by t desc limit $1) as o order by t)
