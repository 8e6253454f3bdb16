-- What changes whenever anything that screens are told of the city changes: cheap, for looking often.
-- returns: version text
select concat_ws('/',
  (select string_agg(d::text, ',' order by number) from district d),
  (select version from rules order by at desc limit 1),
  (select md5(string_agg(name || md5(geojson::text), ',' order by name)) from map_layer)
) as version
