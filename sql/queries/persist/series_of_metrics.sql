-- Series of some metrics in a district.
-- $1 smallint: district; $2 text[]: metrics; $3 integer[]: only these series, null for all
-- returns: number integer, metric text
select number, metric from series
where district = $1::smallint and metric = any($2::text[]) and ($3::integer[] is null or number = any($3))
