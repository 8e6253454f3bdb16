-- Where the workers are: states and offsets, written in the same transaction as what they stand for.
create table snapshot (
    role     text        not null,
    district smallint    not null,
    state    bytea       not null,
    feed     bigint      not null,
    commands bigint      not null,
    outputs  bigint      not null,
    at       timestamptz not null default now(),
    primary key (role, district)
);
alter table snapshot alter column state set storage external;  -- written every second: no time for compressing
comment on table  snapshot is 'State of each stream worker''s partition and the next offsets it stands for.';
comment on column snapshot.role is 'district, city.';
comment on column snapshot.feed is 'Next offset of the feed partition; commands and outputs likewise.';
comment on column snapshot.at is 'Wall clock of the database.';

create table persisted (
    topic       text    not null,
    partition   integer not null,
    next_offset bigint  not null,
    primary key (topic, partition)
);
comment on table  persisted is 'What is stored: the next offset of each partition, written with the rows before it.';

create table rules (
    version text        primary key,
    body    jsonb       not null,
    at      timestamptz not null default now()
);
comment on table  rules is 'Domain packs and overrides that were in force at some time.';
comment on column rules.at is 'Wall clock of the database when they were first stored.';
