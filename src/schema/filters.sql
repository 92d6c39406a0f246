-- Whether row-level security keeps rows of a relation from a role: then its numbers would be of a part and look whole.
-- $1 the schema's name, $2 the names of the relations, $3 the role. Returns a row for each relation under row-level security
-- for that role (for a view: each table that it reads, as its owner). `is_filtered` is false where a policy gives the role
-- every row: one that is permissive with the condition true, and no restrictive one with another condition.
-- Policies of partitions have no effect on a query of their parent. Reads the catalog only, by its own indexes.
with recursive
me (oid) as (
    select coalesce((select r.oid from pg_roles as r where r.rolname = $3), 0::oid)
),
part (root, oid, reader) as (
    select c.oid, c.oid, (select me.oid from me)
    from pg_namespace as n
    join pg_class as c on c.relnamespace = n.oid and c.relname = any($2::text[])
    where n.nspname = $1 and c.relkind in ('r', 'p', 'v')
    union
    select
        part.root,
        d.refobjid,
        case
            when exists (
                select
                from pg_options_to_table(c.reloptions) as o
                where o.option_name = 'security_invoker' and o.option_value::bool
            ) then (select me.oid from me)
            else c.relowner
        end
    from part
    join pg_class as c on c.oid = part.oid and c.relkind = 'v'
    join pg_rewrite as w on w.ev_class = c.oid
    join pg_depend as d
        on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
    where d.refobjid <> c.oid
),
-- A role that is not there yet is no owner, has no attribute and is in no role.
secured as (
    select part.root, part.oid, part.reader, r.rolname
    from part
    join pg_class as c on c.oid = part.oid
    left join pg_roles as r on r.oid = part.reader
    where c.relrowsecurity
        and not coalesce(r.rolsuper or r.rolbypassrls, false)
        and not (r.oid is not null and not c.relforcerowsecurity and pg_has_role(r.oid, c.relowner, 'usage'))
),
policy as (
    select
        secured.root,
        secured.oid,
        secured.reader,
        bool_or(p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true') as gives_all,
        bool_or(not p.polpermissive and pg_get_expr(p.polqual, p.polrelid) <> 'true') as restricts
    from secured
    join pg_policy as p on p.polrelid = secured.oid and p.polcmd in ('r', '*')
    where exists (
        select
        from unnest(p.polroles) as member (oid)
        where member.oid = 0
            or secured.rolname is not null and pg_has_role(secured.reader, member.oid, 'usage')
    )
    group by 1, 2, 3
)
select
    c.relname::text as table_name,
    n.nspname::text as secured_schema,
    s.relname::text as secured_table,
    coalesce(secured.rolname, $3)::text as role,
    not coalesce(policy.gives_all and not policy.restricts, false) as is_filtered,
    coalesce(policy.restricts, false) as is_restricted
from secured
join pg_class as c on c.oid = secured.root
join pg_class as s on s.oid = secured.oid
join pg_namespace as n on n.oid = s.relnamespace
left join policy on policy.root = secured.root and policy.oid = secured.oid and policy.reader = secured.reader
order by 1, 5 desc, 2, 3
