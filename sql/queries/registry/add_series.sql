-- Add a series.
-- $1 smallint: district; $2 integer: number, dense within the district; $3 text: device; $4 text: metric
-- returns: nothing
insert into series (district, number, device, metric) values ($1, $2, $3, $4)
