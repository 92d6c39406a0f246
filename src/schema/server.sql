-- Our role, the server, and the labels of job.state in their order (none where it is text). Of another encoding than
-- UTF-8 only labels in ASCII, for not every one can be sent.
-- $1 is the schema's name. Costs a look into the catalog.
select
    current_user::text as role,
    current_setting('server_version')::text as server_version,
    current_setting('server_encoding')::text as encoding,
    pg_is_in_recovery() as in_recovery,
    extract(epoch from clock_timestamp())::float8 as clock,
    array(
        select e.enumlabel::text
        from pg_namespace as n
        join pg_class as c on c.relnamespace = n.oid and c.relname = 'job'
        join pg_attribute as a on a.attrelid = c.oid and a.attname = 'state'
        join pg_enum as e on e.enumtypid = a.atttypid
        where n.nspname = $1
            and (current_setting('server_encoding') = 'UTF8' or e.enumlabel::text !~ '[^ -~]')
        order by e.enumsortorder
    ) as states
