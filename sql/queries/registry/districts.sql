-- All districts, by number.
-- returns: number smallint, code, name_zh, name_en text, registry_version integer
select number, code, name_zh, name_en, registry_version from district order by number
