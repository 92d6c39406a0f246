-- Returns the rights that the role lacks, such as `DELETE on job`. $1 tables; $2 the right on each; $3 the same tables
-- quoted, with their schema. Reads only the catalog.
select wanted.privilege || ' on ' || wanted.name as missing
from unnest($1::text[], $2::text[], $3::text[]) as wanted (name, privilege, qualified)
where not has_table_privilege(wanted.qualified, wanted.privilege)
order by 1
