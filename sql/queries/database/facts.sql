-- What "yiwang check" tells about a database.
-- returns: server text (version), now timestamptz (its clock), migrated boolean (schema yiwang is there)
select current_setting('server_version') as server,
       clock_timestamp() as now,
       to_regclass('yiwang.migration') is not null as migrated
