-- Give the migration lock back.
-- returns: nothing of use
select pg_advisory_unlock(hashtext('yiwang.migrate'))
