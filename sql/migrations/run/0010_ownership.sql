-- Who may speak for a district: a worker that was paused and wakes up after another has taken over may not.
create table ownership (
    role     text     not null,
    district smallint not null,
    owner    bigint   not null,
    kept     bigint   not null default 0,
    primary key (role, district)
);
comment on table  ownership is 'The newest taking over of each district, and of the city (-1); older ones may write nothing any more.';
comment on column ownership.owner is 'Rises by one with each; the outputs of that owner carry it in the header "owner".';
comment on column ownership.kept is 'The ownership in force at the offset "outputs" of the kept state.';

create table output_fence (
    district smallint primary key,
    owner    bigint   not null,
    mark     bigint   not null
);
comment on table  output_fence is 'The ownership in force where persist stands in each district''s outputs, written with the offset.';
comment on column output_fence.mark is 'Offset in the outputs at which it began.';
