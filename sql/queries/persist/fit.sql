-- Make the chunks to come as long as is good for what comes.
-- $1 timestamptz: how far the districts are, event time
-- returns: changed integer, number of tables changed
select reading_fit($1) as changed
