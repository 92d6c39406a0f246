-- Returns the sessions that hold the maintain lock of the schema $1. pg_locks lists a lock of two numbers with the first as
-- classid and the second as objid, both unsigned. Reads the lists of locks and sessions.
select
    string_agg(
        format(
            'process %s of role %s, application %s, since %s',
            l.pid,
            coalesce(quote_ident(a.usename), 'unknown'),
            coalesce(quote_ident(nullif(a.application_name, '')), 'unknown'),
            coalesce(to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), 'unknown')
        ),
        '; '
    ) as holders
from pg_locks as l
left join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'advisory'
    and l.granted
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    and l.objsubid = 2
    and l.classid::int8 = hashtext('marie-exporter maintain')::int8 & 4294967295
    and l.objid::int8 = hashtext($1)::int8 & 4294967295
