-- Keep other changes of the registry out until the transaction ends; readers go on.
-- returns: nothing of use
select pg_advisory_xact_lock(hashtext(current_schema() || '.registry'))
