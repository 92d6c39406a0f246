-- The rights that our role lacks, as `DELETE on job`, of those on the tables $1, each with the right of $2 at its place.
-- Reads the catalog only.
select wanted.privilege || ' on ' || wanted.name as lacking
from unnest($1::text[], $2::text[]) as wanted (name, privilege)
where not has_table_privilege(wanted.name, wanted.privilege)
order by 1
