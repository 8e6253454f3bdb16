-- How many could not be used, by source and code.
-- returns: source text, code text, count bigint, newest timestamptz (wall clock)
select source, code, count(*) as count, max(ingest) as newest
from dead_letter group by source, code order by count desc, source, code
