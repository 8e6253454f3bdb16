-- How far incidents are believed, and what they are part of; what comes from people and other offices.
alter table incident
    add column standing    text             not null default 'confirmed'
        check (standing in ('candidate', 'confirmed', 'corroborated', 'verified')),
    add column confidence  double precision not null default 1,
    add column situation   text             not null default '',
    add column confirmed   timestamptz,
    add column annunciated timestamptz;
create index on incident (situation) where situation <> '';
create index on incident (annunciated desc) where annunciated is not null;
comment on column incident.standing is '待核, 已确认, 多源印证, 人工核实.';
comment on column incident.confidence is '0 to 1, calibrated: how often incidents like this are real.';
comment on column incident.situation is 'Situation it is part of; empty: none.';
comment on column incident.confirmed is 'Event time since when it is no mere candidate.';
comment on column incident.annunciated is 'Event time when people were first called upon; null: not, or by its situation.';

create table situation (
    id       text        primary key,
    rev      integer     not null,
    district smallint    not null,
    kind     text        not null,
    state    text        not null check (state in ('open', 'closed')),
    severity smallint    not null,
    peak     smallint    not null,
    sites    integer     not null,
    opened   timestamptz not null,
    updated  timestamptz not null,
    closed   timestamptz,
    body     jsonb       not null
);
create index situation_open on situation (district) where state <> 'closed';
create index situation_opened on situation (opened desc, id desc);
comment on table  situation is 'Situations (态势): many incidents with one cause, newest state.';
comment on column situation.severity is '1 to 4 for I to IV, now; peak: the most severe so far.';
comment on column situation.sites is 'Incidents so far.';
comment on column situation.opened is 'Event time; updated, closed too.';

create table report (
    id        text             primary key,
    district  smallint         not null,
    kind      text             not null,
    place     text             not null,
    by        text             not null,
    lon       double precision,
    lat       double precision,
    certainty double precision,
    t         timestamptz      not null,
    body      jsonb            not null
);
create index on report (district, t desc);
comment on table  report is 'What people reported: hotline, patrols.';
comment on column report.place is 'Registered place, or empty where it was given by its coordinates.';
comment on column report.certainty is '0 to 1, as the reporter or the hotline rates it.';
comment on column report.t is 'Event time.';

create table warning (
    id        text        not null,
    district  smallint    not null,
    event     text        not null,
    level     smallint    not null,
    cancelled boolean     not null,
    t         timestamptz not null,
    until     timestamptz not null,
    body      jsonb       not null,
    primary key (district, id)
);
create index on warning (until);
comment on table  warning is 'Outside warnings (预警), newest state of each.';
comment on column warning.event is 'An incident kind, or an event that a situation kind listens to.';
comment on column warning.level is '1 red to 4 blue.';
comment on column warning.t is 'Event time at which it begins; until: at which it ends.';
