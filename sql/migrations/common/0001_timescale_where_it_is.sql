-- TimescaleDB is taken where the server has loaded it; without it everything works on native partitions.
-- Creating the extension on a server that has not preloaded it would end the session, hence the first test.
do $$
begin
    if exists (select from pg_settings where name = 'timescaledb.max_background_workers')
       and exists (select from pg_available_extensions where name = 'timescaledb')
    then
        create extension if not exists timescaledb with schema public;
    end if;
exception
    when insufficient_privilege then
        raise notice 'TimescaleDB is loaded, but this role may not create the extension: going on without it';
end
$$;
