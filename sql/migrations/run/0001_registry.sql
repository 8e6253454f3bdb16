-- What the districts consist of. Longitudes and latitudes are WGS 84 / CGCS2000 degrees.
create table district (
    number           smallint primary key check (number >= 0),
    code             text     not null,
    name_zh          text     not null,
    name_en          text     not null default '',
    registry_version integer  not null default 0
);
comment on table  district is 'Districts (区县): unit of order and scale; number = Kafka partition.';
comment on column district.registry_version is 'Rises by one with every change to the district''s registry.';

create table place (
    id         text             primary key,
    district   smallint         not null references district (number),
    zone       text             not null default '',
    kind       text             not null,
    name_zh    text             not null,
    name_en    text             not null default '',
    lon        double precision not null check (lon between -180 and 180),
    lat        double precision not null check (lat between -90 and 90),
    attributes jsonb            not null default '{}'
);
create index on place (district);
comment on table  place is 'Places (点位): what an incident is "at".';
comment on column place.zone is 'Catchment, corridor or block of grid cells: what is judged together.';
comment on column place.lon is 'Degrees east.';
comment on column place.lat is 'Degrees north.';
comment on column place.attributes is 'Numbers thresholds may refer to; the unit is in the name (closure_depth_cm).';

create table device (
    id         text             primary key,
    district   smallint         not null references district (number),
    place      text             not null references place (id),
    kind       text             not null,
    name_zh    text             not null,
    name_en    text             not null default '',
    lon        double precision not null check (lon between -180 and 180),
    lat        double precision not null check (lat between -90 and 90),
    attributes jsonb            not null default '{}'
);
create index on device (district);
comment on table  device is 'Sensors and cameras.';
comment on column device.lon is 'Degrees east.';
comment on column device.lat is 'Degrees north.';
comment on column device.attributes is 'Numbers thresholds may refer to; the unit is in the name.';

create table series (
    district smallint not null references district (number),
    number   integer  not null check (number >= 0),
    device   text     not null references device (id),
    metric   text     not null,
    primary key (district, number),
    unique (device, metric)
);
comment on table  series is 'One metric of one device; numbers are dense within the district and never used again.';

create table unit (
    id       text             primary key,
    district smallint         not null references district (number),
    skill    text             not null,
    name_zh  text             not null,
    name_en  text             not null default '',
    lon      double precision not null check (lon between -180 and 180),
    lat      double precision not null check (lat between -90 and 90),
    on_duty  boolean          not null default true
);
create index on unit (district);
comment on table  unit is 'Grid workers and crews that can be sent (网格员, 处置队伍).';
comment on column unit.lon is 'Degrees east, where it usually is.';
comment on column unit.lat is 'Degrees north, where it usually is.';

create table map_layer (
    name    text  primary key,
    geojson jsonb not null
);
comment on table map_layer is 'Layers of the base map, each a GeoJSON FeatureCollection.';
