-- Takes back what a client of this exporter's driver has left prepared in the session, under names that ours will
-- have too. Behind a pooler that knows no prepared statements, where they are in everybody's way.
do $do$
declare
    left_behind text;
begin
    for left_behind in select name from pg_prepared_statements where name like 'sqlx\_s\_%' loop
        execute format('deallocate %I', left_behind);
    end loop;
end
$do$
