-- Returns the session's role, properties of the server, and the labels of job.state. One row.
-- $1: name of the schema.
-- lock_table: number of locks that all sessions can hold together.
-- states: the labels in their order; empty if the column is text. If the encoding is not UTF-8, only labels in ASCII are
-- returned, because others may not be convertible.
-- Reads only the catalog and settings.
select
    current_user::text as role,
    current_setting('server_version')::text as server_version,
    current_setting('server_encoding')::text as encoding,
    current_setting('max_locks_per_transaction')::int8
        * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8) as lock_table,
    current_setting('server_version_num')::int8 as version_number,
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
