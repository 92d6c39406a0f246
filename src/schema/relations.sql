-- Returns which relations of the schema can be trusted, because reading a relation runs code of its owner. One row for each
-- relation, with the first object that makes it untrusted; NULL if there is none.
-- $1: name of the schema. $2: names of the relations. $3: whether rows are also written.
-- The checked objects are the relation itself, its partitions, and the tables that a view reads, by kind and owner. Then the
-- objects that run when rows are read, by owner: functions and operators of policies, indexes, constraints and rules, and
-- the types of columns. For a writer also those of triggers and defaults, and all tables that refer directly or indirectly
-- to one of the relations.
-- Index: those of the catalog; no other table is read. The cost follows the number of partitions and their indexes.
with recursive
home as (
    select n.oid, n.nspowner from pg_namespace as n where n.nspname = $1
),
root as (
    select c.oid
    from home
    join pg_class as c on c.relnamespace = home.oid and c.relname = any($2::text[])
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
    union
    select f.conrelid
    from root
    join pg_constraint as f on f.confrelid = root.oid and f.contype = 'f' and f.conparentid = 0
    where $3
),
-- Trusted are the owners of the schema and of job, who determine what the exporter reads, and superusers.
ruler (oid) as (
    select home.nspowner from home
    union
    select c.relowner
    from home
    join pg_class as c on c.relnamespace = home.oid and c.relname = 'job' and c.relkind in ('r', 'p')
    union
    select r.oid from pg_roles as r where r.rolsuper
),
-- Trusted is also every role that can act as one of them. Before version 16, each member can.
trusted (oid) as (
    select r.oid
    from pg_roles as r
    where exists (
        select
        from ruler
        where pg_has_role(r.oid, ruler.oid, 'usage')
            or pg_has_role(
                r.oid,
                ruler.oid,
                case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end
            )
    )
),
-- The relations from which the rows of a relation come. The relations below an untrusted one need no check.
part (root, oid, kinds) as (
    select root.oid, root.oid, array['r', 'p', 'v'] from root
    union
    select part.root, below.oid, below.kinds
    from part
    join pg_class as c on c.oid = part.oid
    cross join lateral (
        select i.inhrelid, array['r', 'p'] from pg_inherits as i where i.inhparent = part.oid
        union all
        select d.refobjid, array['r', 'p', 'v', 'S']
        from pg_rewrite as w
        join pg_depend as d
            on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
        where c.relkind = 'v' and w.ev_class = part.oid and d.refobjid <> part.oid
    ) as below (oid, kinds)
    where c.relkind::text = any(part.kinds) and exists (select from trusted where trusted.oid = c.relowner)
),
-- The objects that can run when rows of these relations are read, and the objects to which they refer.
code (root, classid, objid) as (
    select part.root, piece.classid, piece.objid
    from part
    cross join lateral (
        select 'pg_class'::regclass::oid, part.oid
        union all
        select 'pg_class'::regclass, i.indexrelid
        from pg_index as i
        where i.indrelid = part.oid and (i.indexprs is not null or i.indpred is not null)
        union all
        select 'pg_constraint'::regclass, k.oid
        from pg_constraint as k
        where k.conrelid = part.oid and k.contype in ('c', 'x')
        union all
        select 'pg_rewrite'::regclass, w.oid from pg_rewrite as w where w.ev_class = part.oid
        union all
        select 'pg_policy'::regclass, p.oid from pg_policy as p where p.polrelid = part.oid
        union all
        select 'pg_statistic_ext'::regclass, s.oid from pg_statistic_ext as s where s.stxrelid = part.oid
        union all
        select 'pg_trigger'::regclass, t.oid from pg_trigger as t where $3 and t.tgrelid = part.oid and not t.tgisinternal
        union all
        select 'pg_attrdef'::regclass, a.oid from pg_attrdef as a where $3 and a.adrelid = part.oid
    ) as piece (classid, objid)
    union
    select code.root, used.classid, used.objid
    from code
    cross join lateral (
        select d.refclassid, d.refobjid
        from pg_depend as d
        where d.classid = code.classid
            and d.objid = code.objid
            and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
        union all
        select 'pg_constraint'::regclass, k.oid
        from pg_constraint as k
        where code.classid = 'pg_type'::regclass and k.contypid = code.objid
        union all
        select 'pg_class'::regclass, t.typrelid
        from pg_type as t
        where code.classid = 'pg_type'::regclass and t.oid = code.objid and t.typtype = 'c'
    ) as used (classid, objid)
),
problem (root, rank, classid, objid, owner, is_kind) as (
    select
        part.root,
        case when part.oid = part.root then 1 else 2 end,
        'pg_class'::regclass::oid,
        part.oid,
        c.relowner,
        trusted.oid is not null
    from part
    join pg_class as c on c.oid = part.oid
    left join trusted on trusted.oid = c.relowner
    where trusted.oid is null or c.relkind::text <> all(part.kinds)
    union all
    select code.root, 3, code.classid, code.objid, owned.owner, false
    from code
    cross join lateral (
        select p.proowner from pg_proc as p where code.classid = 'pg_proc'::regclass and p.oid = code.objid
        union all
        select o.oprowner from pg_operator as o where code.classid = 'pg_operator'::regclass and o.oid = code.objid
        union all
        select t.typowner from pg_type as t where code.classid = 'pg_type'::regclass and t.oid = code.objid
    ) as owned (owner)
    where not exists (select from trusted where trusted.oid = owned.owner)
)
select
    c.relname::text as table_name,
    c.relkind = 'v' as is_view,
    pg_describe_object('pg_class'::regclass, c.oid, 0) as relation,
    pg_get_userbyid(c.relowner)::text as owner,
    pg_describe_object(found.classid, found.objid, 0) as object,
    found.objid = c.oid as is_itself,
    found.is_kind,
    pg_get_userbyid(found.owner)::text as object_owner
from root
join pg_class as c on c.oid = root.oid
left join (
    select distinct on (problem.root) problem.* from problem order by problem.root, problem.rank, problem.objid
) as found on found.root = root.oid
order by 1
