-- Returns what a role can do in this database beyond what the exporter needs: each object with the privileges on it,
-- memberships, and ownership, from any grantor. Reads the catalog only. $4 is the limit.
-- $1 the role, $2 the schema, $3 the relations of the schema whose columns the caller compares. SELECT on these is left
-- out, and so are USAGE on the schema and CONNECT on the database.
-- `rank` is 1 for attributes and memberships, 2 for ownership, 3 for privileges, 4 for functions with their owner's
-- rights, 5 for grants to PUBLIC. `revoke` is the SQL that takes the right away; NULL if the operator has to decide, and
-- for the tables of the schema.
with
me as (
    select r.oid, r.rolname, r.rolsuper from pg_roles as r where r.rolname = $1
),
-- The role and the roles that it can act as. Predefined roles have rights without privileges in the catalog.
reach as (
    select r.oid, r.rolname, r.oid = me.oid as is_me
    from me
    join pg_roles as r
        on r.oid = me.oid
        or not me.rolsuper and pg_has_role(me.oid, r.oid, 'member') and not starts_with(r.rolname, 'pg_')
),
acl (classid, objid, objsubid, keyword, acl) as (
    select 'pg_class'::regclass::oid, c.oid, 0, case c.relkind when 'S' then 'SEQUENCE' else 'TABLE' end, c.relacl
    from pg_class as c
    union all
    select 'pg_class'::regclass, a.attrelid, a.attnum, '', a.attacl from pg_attribute as a where a.attacl is not null
    union all
    select 'pg_proc'::regclass, p.oid, 0, 'ROUTINE', p.proacl from pg_proc as p
    union all
    select 'pg_namespace'::regclass, n.oid, 0, 'SCHEMA', n.nspacl from pg_namespace as n
    union all
    select 'pg_database'::regclass, d.oid, 0, 'DATABASE', d.datacl from pg_database as d
    union all
    select 'pg_language'::regclass, l.oid, 0, 'LANGUAGE', l.lanacl from pg_language as l
    union all
    select 'pg_type'::regclass, t.oid, 0, 'TYPE', t.typacl from pg_type as t
    union all
    select 'pg_foreign_data_wrapper'::regclass, f.oid, 0, 'FOREIGN DATA WRAPPER', f.fdwacl from pg_foreign_data_wrapper as f
    union all
    select 'pg_foreign_server'::regclass, f.oid, 0, 'FOREIGN SERVER', f.srvacl from pg_foreign_server as f
    union all
    select 'pg_largeobject'::regclass, l.oid, 0, 'LARGE OBJECT', l.lomacl from pg_largeobject_metadata as l
    union all
    select 'pg_tablespace'::regclass, t.oid, 0, 'TABLESPACE', t.spcacl from pg_tablespace as t
    union all
    select 'pg_default_acl'::regclass, d.oid, 0, '', d.defaclacl from pg_default_acl as d
),
granted as (
    select
        acl.classid,
        acl.objid,
        acl.objsubid,
        acl.keyword,
        x.grantee,
        x.privilege_type
            || case when x.is_grantable then ' with grant option' else '' end as privilege
    from acl
    cross join lateral aclexplode(acl.acl) as x
    where x.grantee <> x.grantor and (x.grantee = 0 or x.grantee in (select reach.oid from reach))
),
needed (classid, objid, privilege) as (
    select 'pg_namespace'::regclass::oid, n.oid, 'USAGE' from pg_namespace as n where n.nspname = $2
    union all
    select 'pg_database'::regclass, d.oid, 'CONNECT' from pg_database as d where d.datname = current_database()
    union all
    select 'pg_class'::regclass, c.oid, 'SELECT'
    from pg_namespace as n
    join pg_class as c on c.relnamespace = n.oid and c.relname = any($3::text[])
    where n.nspname = $2
),
-- PostgreSQL's default privileges of a new database are left out.
usual (classid, objid, objsubid, privilege) as (
    select 'pg_database'::regclass::oid, d.oid, 0, x.privilege
    from pg_database as d
    cross join (values ('CONNECT'), ('TEMPORARY')) as x (privilege)
    union all
    select i.classoid, i.objoid, i.objsubid, x.privilege_type
    from pg_init_privs as i
    cross join lateral aclexplode(i.initprivs) as x
    where x.grantee = 0
),
excess (rank, classid, objid, objsubid, keyword, grantee, privileges, is_read) as (
    select
        case when g.grantee = 0 then 5 else 3 end,
        g.classid,
        g.objid,
        g.objsubid,
        g.keyword,
        g.grantee,
        string_agg(g.privilege, ', ' order by g.privilege),
        bool_and(g.privilege = 'SELECT' and g.classid = 'pg_class'::regclass)
    from granted as g
    where not exists (
            select from needed as n where n.classid = g.classid and n.objid = g.objid and n.privilege = g.privilege
        )
        and (
            g.grantee <> 0
            or g.classid <> all(array['pg_type'::regclass, 'pg_language'::regclass, 'pg_proc'::regclass]::oid[])
            and not (g.classid = 'pg_namespace'::regclass and g.privilege = 'USAGE')
            and not (g.classid = 'pg_class'::regclass and g.objid < 16384 and g.privilege = 'SELECT')
            and not exists (
                select
                from usual as u
                where u.classid = g.classid and u.objid = g.objid and u.objsubid = g.objsubid and u.privilege = g.privilege
            )
            -- Catalogs that no role could read, and functions that no role could run, when the server was created.
            or g.objid < 16384
            and exists (select from pg_init_privs as i where i.classoid = g.classid and i.objoid = g.objid)
            and not exists (
                select
                from usual as u
                where u.classid = g.classid and u.objid = g.objid and u.objsubid = g.objsubid and u.privilege = g.privilege
            )
        )
    group by 1, 2, 3, 4, 5, 6
),
found (rank, what, revoke, is_read) as (
    select
        1,
        'member of ' || m.rolname || case when reach.is_me then '' else ' through ' || reach.rolname end,
        case when reach.is_me then string_agg(
            format(
                'REVOKE %I FROM %I%s;',
                m.rolname,
                reach.rolname,
                -- Since version 16 a membership has one row for each grantor, and REVOKE takes only one of them away.
                case when current_setting('server_version_num')::int >= 160000
                    then format(' GRANTED BY %I', pg_get_userbyid(a.grantor))
                end
            ),
            E'\n' order by a.grantor
        ) end,
        false
    from reach
    join pg_auth_members as a on a.member = reach.oid
    join pg_roles as m on m.oid = a.roleid
    group by m.rolname, reach.rolname, reach.is_me
    union
    select
        1,
        attribute.name || case when reach.is_me then '' else ' through ' || reach.rolname end,
        case when reach.is_me then format('ALTER ROLE %I NO%s;', reach.rolname, attribute.name) end,
        false
    from reach
    join pg_roles as r on r.oid = reach.oid
    cross join lateral (
        values
            ('SUPERUSER', r.rolsuper),
            ('CREATEROLE', r.rolcreaterole),
            ('CREATEDB', r.rolcreatedb),
            ('REPLICATION', r.rolreplication),
            -- Where a table is under row-level security the role may need it.
            (
                'BYPASSRLS',
                r.rolbypassrls
                and not exists (
                    select
                    from needed as n
                    join pg_class as c on n.classid = 'pg_class'::regclass and c.oid = n.objid
                    where c.relrowsecurity
                )
            )
    ) as attribute (name, is_set)
    where attribute.is_set
    union all
    select
        2,
        'owns ' || pg_describe_object(d.classid, d.objid, d.objsubid)
            || case when reach.is_me then '' else ' through ' || reach.rolname end,
        null,
        false
    from reach
    join pg_shdepend as d on d.refclassid = 'pg_authid'::regclass and d.refobjid = reach.oid and d.deptype = 'o'
    where d.dbid in (0, (select b.oid from pg_database as b where b.datname = current_database()))
    union all
    -- A configuration parameter (6243 is pg_parameter_acl, since version 15).
    select
        3,
        'SET or ALTER SYSTEM on ' || pg_describe_object(d.classid, d.objid, 0)
            || case when reach.is_me then '' else ' through ' || reach.rolname end,
        case when reach.is_me then format('REVOKE ALL ON PARAMETER %s FROM %I;', o.identity, reach.rolname) end,
        false
    from reach
    join pg_shdepend as d on d.refclassid = 'pg_authid'::regclass and d.refobjid = reach.oid and d.deptype = 'a'
    cross join lateral pg_identify_object(d.classid, d.objid, 0) as o
    where d.classid = 6243
    union all
    select
        e.rank,
        e.privileges || ' on ' || pg_describe_object(e.classid, e.objid, e.objsubid)
            || case when e.grantee = 0 or reach.is_me then '' else ' through ' || reach.rolname end,
        case
            when reach.is_me is not true then null
            -- All tables of the schema are revoked by one statement.
            when e.classid = 'pg_class'::regclass and e.keyword <> 'SEQUENCE' and exists (
                select
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                where c.oid = e.objid and n.nspname = $2
            ) then null
            when e.classid = 'pg_default_acl'::regclass then (
                select
                    format(
                        'ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON %s FROM %I;',
                        pg_get_userbyid(d.defaclrole),
                        case d.defaclnamespace when 0 then '' else format(' IN SCHEMA %s', d.defaclnamespace::regnamespace) end,
                        case d.defaclobjtype
                            when 'r' then 'TABLES' when 'S' then 'SEQUENCES' when 'f' then 'FUNCTIONS' when 'T' then 'TYPES'
                            when 'n' then 'SCHEMAS' else 'LARGE OBJECTS'
                        end,
                        reach.rolname
                    )
                from pg_default_acl as d
                where d.oid = e.objid
            )
            when e.objsubid <> 0 then (
                select
                    format(
                        'REVOKE ALL (%I) ON TABLE %s FROM %I;',
                        a.attname,
                        (pg_identify_object(e.classid, e.objid, 0)).identity,
                        reach.rolname
                    )
                from pg_attribute as a
                where a.attrelid = e.objid and a.attnum = e.objsubid
            )
            else format(
                'REVOKE ALL ON %s %s FROM %I;',
                e.keyword,
                (pg_identify_object(e.classid, e.objid, 0)).identity,
                reach.rolname
            )
        end,
        e.is_read
    from excess as e
    left join reach on reach.oid = e.grantee
    union all
    select 4, 'can run ' || pg_describe_object('pg_proc'::regclass, p.oid, 0) || ' with the rights of '
        || pg_get_userbyid(p.proowner), null, false
    from me
    join pg_proc as p on p.prosecdef and p.oid >= 16384 and p.prorettype <> 'trigger'::regtype
    where has_schema_privilege(me.oid, p.pronamespace, 'usage')
        and has_function_privilege(me.oid, p.oid, 'execute')
        and not pg_has_role(me.oid, p.proowner, 'usage')
)
select found.rank, found.what, found.revoke, found.is_read, count(*) over () as count
from found
order by found.rank, found.is_read, found.what
limit $4
