-- The server's process of the connection of ours to this database that was made last, this one left out.
-- returns: pid integer
select pid from pg_stat_activity
where application_name = 'yiwang' and datname = current_database() and pid <> pg_backend_pid()
order by backend_start desc limit 1
