-- A sighting by a camera.
-- $1 text: id; $2 smallint: district; $3 text: device; $4 text: class; $5 float8: confidence 0..1;
-- $6 timestamptz: t; $7 text: address of the picture, may be empty
-- returns: nothing
insert into video_event (event_id, district, device, event_class, confidence, t, image_url)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (event_id) do nothing
