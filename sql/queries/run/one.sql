-- One run.
-- $1 text: name
-- returns: name, kind, ticks text, districts integer, scenario text, speed float8, created_ns bigint, state text
select name, kind, ticks, districts, scenario, speed, created_ns, state from yiwang.run where name = $1
