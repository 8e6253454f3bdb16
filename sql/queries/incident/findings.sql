-- The history of some findings, oldest first.
-- $1 text[]: ids of findings
-- returns: id text, t_ns bigint (event time), level smallint (0..4), value, threshold float8, reason text
select id, t_ns, level, value, threshold, reason from finding_change where id = any($1::text[]) order by t_ns, id
