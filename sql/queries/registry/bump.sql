-- Give a district's registry its next version.
-- $1 smallint: district
-- returns: registry_version integer
update district set registry_version = registry_version + 1 where number = $1 returning registry_version
