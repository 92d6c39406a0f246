-- Returns the owner of Marie's function create_queue, and whether that role is trusted by the rule for tables
-- (schema/relations.sql). No row if the function does not exist. $1 schema. Reads only the catalog.
select
    pg_get_userbyid(p.proowner)::text as owner,
    pg_has_role(p.proowner, n.nspowner, 'usage') or pg_has_role(p.proowner, c.relowner, 'usage') as is_trusted
from pg_namespace as n
join pg_proc as p on p.pronamespace = n.oid and p.proname = 'create_queue'
join pg_class as c on c.relnamespace = n.oid and c.relname = 'job'
where n.nspname = $1 and oidvectortypes(p.proargtypes) = 'text, json'
