-- Inserts a job, a DAG and a queue for each time column, each state and each invalid date; other times are now().
-- Also inserts a job whose time limit is too large to add to a date.
do $do$
declare
    states constant text[] := array['created', 'retry', 'active', 'completed', 'failed'];
    dates constant text[] := array[
        '-infinity', 'infinity', '4713-01-01 BC', '1969-12-31', '10000-01-01', '294276-12-31 23:59:59', null
    ];
    wrong record;
begin
    for wrong in
        select t.owner, s.state, c.columns, c.times
        from unnest(array['dag', 'job']) as t (owner)
        cross join unnest(states) as s (state)
        cross join unnest(dates) as d (date)
        join pg_attribute as a on a.attrelid = to_regclass(t.owner) and a.atttypid = 'timestamptz'::regtype
        cross join lateral (
            select
                string_agg(quote_ident(b.attname), ', ') as columns,
                string_agg(case b.attnum when a.attnum then quote_nullable(d.date) else 'now()' end, ', ') as times
            from pg_attribute as b
            where b.attrelid = a.attrelid and b.atttypid = a.atttypid and b.attnum > 0 and not b.attisdropped
        ) as c
        where a.attnum > 0 and not a.attisdropped
    loop
        if wrong.owner = 'job' then
            execute format(
                'insert into job (id, name, dag_id, state, %s) values (gen_random_uuid(), %L, md5(%L)::uuid, %L, %s)',
                wrong.columns, 'extract', 'dag', wrong.state, wrong.times
            );
        else
            execute format(
                'insert into dag (id, name, state, %s) values (gen_random_uuid(), gen_random_uuid(), %L, %s)',
                wrong.columns, wrong.state, wrong.times
            );
        end if;
    end loop;
    if to_regclass('queue') is not null then
        insert into queue (name, created_on, updated_on)
        select coalesce(date, 'null'), date::timestamptz, date::timestamptz from unnest(dates) as d (date);
        insert into job (id, name, dag_id, state, started_on, expire_in)
        values (gen_random_uuid(), 'extract', md5('dag')::uuid, 'active', now(), interval '178000000 years');
        update version set maintained_on = 'infinity', monitored_on = now(), cron_on = '-infinity';
    end if;
end
$do$
