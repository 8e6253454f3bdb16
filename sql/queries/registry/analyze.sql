-- After a large change: without fresh statistics the registry is read by a plan made for an empty table, for minutes.
-- returns: nothing
analyze place, device, series, unit
