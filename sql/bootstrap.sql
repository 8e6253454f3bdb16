-- What must be there before the first migration can be recorded. Safe to run again; runs under the lock.
create schema if not exists yiwang;
create table if not exists yiwang.migration (
    schema_name text        not null,
    number      integer     not null check (number > 0),
    name        text        not null,
    checksum    text        not null,
    level       text        not null default '' check (level in ('', 'plain', 'timescale_apache', 'timescale_community')),
    applied_at  timestamptz not null default now(),
    primary key (schema_name, number)
);
comment on table yiwang.migration is 'Migrations applied, by schema: yiwang itself and one schema a run.';
comment on column yiwang.migration.number is 'NNNN of the file name.';
comment on column yiwang.migration.checksum is 'SHA-256 of the file, hexadecimal; a changed old file is an error.';
comment on column yiwang.migration.level is 'SQL level the file is for; empty: every level.';
