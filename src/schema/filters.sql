-- Returns whether row-level security hides rows of relations from a role. Numbers of such a relation would be incomplete
-- but look complete. One row for each relation under row-level security for that role, and for a view one row for each
-- table that it reads with the rights of its owner.
-- $1: name of the schema. $2: names of the relations. $3: the role.
-- is_filtered: false if the policies let the role read every row, that is, a permissive policy has the condition true and
-- no restrictive policy has another condition.
-- is_restricted: whether a restrictive policy hides rows.
-- Policies of partitions are ignored, because they have no effect on a query of the parent.
-- Index: those of the catalog; no other table is read.
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
-- A role that does not exist yet owns nothing, has no attributes and is a member of no role.
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
