-- Moves the jobs with the ids $1 in the queues $2 to the archive. The caller has locked them. One statement deletes and
-- inserts, so that a job is never in both tables. `shared_columns` stands for the columns that both tables have,
-- `moved_columns` for the same columns of job. Index: the one on id that every shape has.
with moved as (
    delete from marie_scheduler.job as j
    using unnest($1::uuid[], $2::text[]) as due (due_id, due_name)
    where j.id = due_id and j.name is not distinct from due_name
    returning moved_columns
)
insert into marie_scheduler.archive (shared_columns, archived_on)
select shared_columns, now() from moved
