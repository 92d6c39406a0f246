-- Moves the jobs with the ids $1 in the queues $2, which are held, into the archive: out of the one table and into the
-- other in one statement. `shared_columns` stands for the columns that both tables have, `moved_columns` for the same of
-- job. Index: the one on id that every shape has.
with moved as (
    delete from marie_scheduler.job as j
    using unnest($1::uuid[], $2::text[]) as gone (gone_id, gone_name)
    where j.id = gone_id and j.name is not distinct from gone_name
    returning moved_columns
)
insert into marie_scheduler.archive (shared_columns, archived_on)
select shared_columns, now() from moved
