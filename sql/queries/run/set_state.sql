-- Set the state of a run.
-- $1 text: name; $2 text: running, finished, stopped
-- returns: name text, no row where there is no such run
update yiwang.run set state = $2 where name = $1 returning name
