-- The rights that our role lacks, as `DELETE on job`, of those on the tables $1, each with the right of $2 at its place.
-- $3 the same tables with their schema, quoted.
-- Reads the catalog only.
select wanted.privilege || ' on ' || wanted.name as lacking
from unnest($1::text[], $2::text[], $3::text[]) as wanted (name, privilege, qualified)
where not has_table_privilege(wanted.qualified, wanted.privilege)
order by 1
