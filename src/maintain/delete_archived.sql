-- Makes room for jobs ($1 ids, $2 queues) that were archived before. Index: the primary key of archive.
delete from marie_scheduler.archive as a
using unnest($1::uuid[], $2::text[]) as gone (id, name)
where a.name = gone.name and a.id = gone.id
