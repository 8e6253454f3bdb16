-- What a person reported.
-- $1 text: id; $2 smallint: district; $3 text: kind; $4 text: place, may be empty; $5 text: by;
-- $6, $7 float8: lon, lat; $8 float8: certainty 0..1; $9 timestamptz: t; $10 jsonb: body
-- returns: nothing
insert into report (id, district, kind, place, by, lon, lat, certainty, t, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (id) do nothing
