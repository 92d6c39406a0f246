-- Drops NOT NULL from every time column of the scheduler's tables, because some deployments lack it.
do $do$
declare
    found record;
begin
    for found in
        select a.attrelid::regclass as owner, a.attname as name
        from unnest(array['job', 'job_history', 'dag', 'dag_history', 'queue']) as t (name)
        join pg_attribute as a on a.attrelid = to_regclass(t.name)
        where a.atttypid = 'timestamptz'::regtype and a.attnotnull
    loop
        execute format('alter table %s alter %I drop not null', found.owner, found.name);
    end loop;
end
$do$
