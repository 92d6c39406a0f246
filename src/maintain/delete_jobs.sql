-- Deletes the jobs with the ids $1 in the queues $2. The caller has locked them. Index: the one on id that every shape has.
delete from marie_scheduler.job as j
using unnest($1::uuid[], $2::text[]) as due (id, name)
where j.id = due.id and j.name is not distinct from due.name
