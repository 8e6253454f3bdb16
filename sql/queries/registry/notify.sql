-- Tell running processes, at commit, that the registry of this schema has changed.
-- returns: nothing of use
select pg_notify('yiwang_registry', current_schema())
