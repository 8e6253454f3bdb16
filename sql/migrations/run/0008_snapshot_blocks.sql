-- States as blocks, of which a save writes those that changed.
alter table snapshot
    alter column state drop not null,
    add column manifest bytea;
comment on column snapshot.state    is 'A state of versions 1 and 2, in one piece; null where it lies in blocks.';
comment on column snapshot.manifest is 'What the blocks are: parts, columns, digests.';

create table snapshot_block (
    role     text     not null,
    district smallint not null,
    part     text     not null,
    block    integer  not null,
    data     bytea    not null,
    primary key (role, district, part, block)
);
comment on table  snapshot_block is 'The bytes of the states; a block is overwritten, never added to.';
comment on column snapshot_block.data is 'Packed already, at most 256 KiB before that.';
alter table snapshot_block alter column data set storage external;  -- packed already
-- All blocks of a big state are new every half minute: old ones must be taken away about as often, and nobody is
-- to wait for the lock that giving the room back to the disk would need.
alter table snapshot_block set (
    autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false,
    toast.autovacuum_vacuum_threshold = 20000, toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_cost_delay = 0, toast.vacuum_truncate = false
);
