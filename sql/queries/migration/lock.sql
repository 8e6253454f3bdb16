-- Take the lock under which databases are migrated; one migration at a time.
-- returns: nothing of use
select pg_advisory_lock(hashtext('yiwang.migrate'))
