-- Removes the prepared statements that a client with the same driver has left in the session, because the driver would
-- give the same names to its own. Needed behind a pooler without support for prepared statements.
do $do$
declare
    left_behind text;
begin
    for left_behind in select name from pg_prepared_statements where name like 'sqlx\_s\_%' loop
        execute format('deallocate %I', left_behind);
    end loop;
end
$do$
