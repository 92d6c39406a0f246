-- Deletes the jobs with the ids $1 in the queues $2, which are held. Index: the one on id that every shape has.
delete from marie_scheduler.job as j
using unnest($1::uuid[], $2::text[]) as gone (id, name)
where j.id = gone.id and j.name is not distinct from gone.name
