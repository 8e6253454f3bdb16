-- Work in one schema for the rest of the session; extensions live in public.
-- $1 text: name of the schema
-- returns: the new search path
select set_config('search_path', quote_ident($1::text) || ', public', false)
