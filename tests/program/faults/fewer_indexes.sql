-- Drops the indexes of job, except unique ones and those on (state), (name, state) or (completed_on), which serve most
-- of the exporter's queries.
do $do$
declare
    dropped text;
begin
    for dropped in
        select i.indexrelid::regclass
        from pg_index as i
        where i.indrelid = 'job'::regclass
            and not i.indisunique
            and pg_get_indexdef(i.indexrelid) !~ '\((state|name, state|completed_on DESC)\)'
    loop
        execute format('drop index %s', dropped);
    end loop;
end
$do$
