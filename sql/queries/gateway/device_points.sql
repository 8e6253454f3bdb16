-- Where every device is, for a map; read by binary COPY.
-- $1 text[]: kinds, in the order in which they are numbered
-- returns: lon, lat float4 (degrees), kind smallint (its place in $1, from 1)
select lon::float4, lat::float4, array_position($1::text[], kind)::int2 from device
