-- Create the schema of a run where it is missing.
-- $1 text: name of the schema
-- returns: nothing of use
select yiwang.create_run_schema($1)
