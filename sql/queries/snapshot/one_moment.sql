-- All that is read in this transaction is of one moment.
-- returns: nothing
set transaction isolation level repeatable read, read only
