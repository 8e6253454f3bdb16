-- Have the server itself drop old readings and roll-ups, where it can.
-- $1 integer: days that readings are kept; $2 integer: days that roll-ups are kept; 0: for ever
-- returns: set boolean, false where the server cannot
select reading_policies($1, $2) as "set"
