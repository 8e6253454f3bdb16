-- Drop a run: schema, bookkeeping and row.
-- $1 text: name of the schema
-- returns: nothing of use
select yiwang.drop_run_schema($1)
