-- Which TimescaleDB this database has.
-- returns: version text or null where there is none, license text ('apache', 'timescale') or null
select (select extversion from pg_extension where extname = 'timescaledb') as version,
       current_setting('timescaledb.license', true) as license
