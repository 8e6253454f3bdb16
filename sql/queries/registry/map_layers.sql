-- All layers of the base map.
-- returns: name text, geojson jsonb
select name, geojson from map_layer order by name
