-- Add or replace a layer of the base map.
-- $1 text: name; $2 jsonb: GeoJSON FeatureCollection
-- returns: nothing
insert into map_layer (name, geojson) values ($1, $2)
on conflict (name) do update set geojson = excluded.geojson
