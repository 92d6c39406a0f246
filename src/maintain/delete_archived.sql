-- Deletes earlier rows of the jobs with the ids $1 in the queues $2 from the archive. Index: the primary key of archive.
delete from marie_scheduler.archive as a
using unnest($1::uuid[], $2::text[]) as due (id, name)
where a.name = due.name and a.id = due.id
