-- What the districts put out. body is the message itself (yiwang.model), times in it are ns; the other
-- columns repeat what is asked for. The higher rev (or n, the district's output number) wins.
create table finding (
    id       text             primary key,
    district smallint         not null,
    n        bigint           not null,
    kind     text             not null,
    series   integer          not null,
    device   text             not null,
    place    text             not null,
    level    smallint         not null check (level between 0 and 4),
    since    timestamptz      not null,
    t        timestamptz      not null,
    body     jsonb            not null
);
create index on finding (district, series, t);
comment on table  finding is 'Newest state of every finding: one detector, one series, one episode.';
comment on column finding.n is 'Number of the district''s output that brought this state.';
comment on column finding.level is '1 to 4 for severity I to IV; 0: over.';
comment on column finding.since is 'Start of the episode, event time.';
comment on column finding.t is 'Event time of the reading or grid point that decided.';

create table finding_change (
    id       text             not null,
    t_ns     bigint           not null,
    level    smallint         not null check (level between 0 and 4),
    district smallint         not null,
    n        bigint           not null,
    value    double precision,
    threshold double precision,
    reason   text             not null,
    primary key (id, t_ns, level)
);
comment on table  finding_change is 'History of findings: a row a change of level.';
comment on column finding_change.t_ns is 'Event time, ns since 1970-01-01 UTC.';
comment on column finding_change.value is 'In the metric''s own unit; null where it was no number.';
comment on column finding_change.threshold is 'What the value was held against, same unit.';

create table incident (
    id       text        primary key,
    rev      integer     not null,
    district smallint    not null,
    domain   text        not null,
    kind     text        not null,
    place    text        not null,
    state    text        not null check (state in ('open', 'cleared', 'closed')),
    severity smallint    not null,
    peak     smallint    not null,
    opened   timestamptz not null,
    updated  timestamptz not null,
    cleared  timestamptz,
    closed   timestamptz,
    body     jsonb       not null
);
create index incident_open on incident (district) where state <> 'closed';
create index incident_opened on incident (opened desc, id desc);
comment on table  incident is 'Incidents (事件), newest state.';
comment on column incident.place is 'Place id, or zone id where the kind is judged by zone.';
comment on column incident.severity is '1 to 4 for I to IV, now; peak: the most severe so far.';
comment on column incident.opened is 'Event time; updated, cleared, closed too.';

create table case_file (
    id       text        primary key,
    rev      integer     not null,
    district smallint    not null,
    incident text        not null,
    category text        not null,
    severity smallint    not null,
    stage    text        not null check (stage in ('accepted', 'dispatched', 'handling', 'checking', 'closed')),
    opened   timestamptz not null,
    updated  timestamptz not null,
    deadline timestamptz,
    closed   timestamptz,
    body     jsonb       not null
);
create index case_file_open on case_file (district) where stage <> 'closed';
create index on case_file (incident);
comment on table  case_file is 'Cases (案卷), newest state. Stages: 立案, 派遣, 处置, 核查, 结案.';
comment on column case_file.opened is 'Event time; updated, deadline, closed too.';

create table work_order (
    id       text        primary key,
    rev      integer     not null,
    district smallint    not null,
    case_id  text        not null,
    incident text        not null,
    unit     text        not null,
    state    text        not null,
    sent     timestamptz not null,
    updated  timestamptz not null,
    deadline timestamptz,
    body     jsonb       not null
);
create index work_order_open on work_order (district) where state not in ('declined', 'verified', 'cancelled');
create index on work_order (incident);
create index on work_order (unit, sent desc);
comment on table  work_order is 'Orders (任务单) to units, newest state.';
comment on column work_order.district is 'District whose unit is sent.';
comment on column work_order.case_id is 'Empty for support to a neighbour.';
comment on column work_order.state is 'Last receipt.';
comment on column work_order.sent is 'Event time; updated, deadline too.';

create table unit_state (
    id       text        primary key,
    rev      integer     not null,
    district smallint    not null,
    on_duty  boolean     not null,
    work_order text      not null,
    t        timestamptz not null,
    body     jsonb       not null
);
create index on unit_state (district);
comment on table  unit_state is 'Whether each unit is free, newest state.';
comment on column unit_state.work_order is 'Order it is on; empty: free.';
comment on column unit_state.t is 'Event time.';

create table support_request (
    id       text        primary key,
    district smallint    not null,
    incident text        not null,
    t        timestamptz not null,
    body     jsonb       not null
);
comment on table  support_request is 'Districts asking for a crew they have not got.';
comment on column support_request.t is 'Event time.';

create table support_offer (
    request  text        not null,
    district smallint    not null,
    granted  boolean     not null,
    t        timestamptz not null,
    body     jsonb       not null,
    primary key (request, district)
);
comment on table  support_offer is 'What districts answered to a request for support.';
comment on column support_offer.t is 'Event time.';

create table command_result (
    command_id text        primary key,
    district   smallint    not null,
    by         text        not null,
    ok         boolean     not null,
    code       text        not null,
    t          timestamptz not null,
    body       jsonb       not null
);
comment on table  command_result is 'What became of every command; the first answer, repeats change nothing.';
comment on column command_result.t is 'Event time at which it took effect.';

create table trouble (
    district smallint    not null,
    n        bigint      not null,
    code     text        not null,
    count    bigint      not null,
    t        timestamptz not null,
    body     jsonb       not null,
    primary key (district, n)
);
create index on trouble (t desc);
comment on table  trouble is 'What the districts could not use or had to take out.';
comment on column trouble.n is 'Number of the district''s output.';
comment on column trouble.t is 'Event time.';

create table video_event (
    event_id    text             primary key,
    district    smallint         not null,
    device      text             not null,
    event_class text             not null,
    confidence  double precision,
    t           timestamptz      not null,
    image_url   text             not null
);
create index on video_event (district, device, t);
comment on table  video_event is 'Sightings by cameras'' algorithms.';
comment on column video_event.confidence is '0 to 1; null where it was no number.';
comment on column video_event.t is 'Event time.';

create table dead_letter (
    id      text        primary key,
    code    text        not null,
    message text        not null,
    source  text        not null,
    ingest  timestamptz not null,
    args    jsonb       not null,
    raw     bytea       not null
);
create index on dead_letter (ingest desc, id desc);
comment on table  dead_letter is 'What could not be used, with its reason.';
comment on column dead_letter.source is 'http, mqtt:TOPIC, player, feed, persist.';
comment on column dead_letter.ingest is 'Wall clock when it came in.';
comment on column dead_letter.raw is 'What came in, cut at 64 KiB.';
