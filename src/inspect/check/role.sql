-- Returns the current role, the database, and the tables of the schema $1 that the role can write to.
-- Reads the catalog only.
select
    current_user::text as role,
    current_database()::text as database,
    (select r.rolsuper from pg_roles as r where r.rolname = current_user) as superuser,
    array(
        select c.relname::text
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = $1
            and c.relkind in ('r', 'p')
            and not c.relispartition
            and has_table_privilege(c.oid, 'insert, update, delete, truncate')
        order by 1
    ) as writable
