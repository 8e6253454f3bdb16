-- level: timescale_community
-- Chunks older than a week are compressed by series; late readings can still be written into them.
alter table reading set (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'district, series',
    timescaledb.compress_orderby = 't'
);
select add_compression_policy('reading', interval '7 days');
