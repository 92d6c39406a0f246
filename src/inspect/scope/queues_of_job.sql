-- Returns the queue of the job $1, if it is one of $2. Index: one of job that leads with id.
select distinct name::text as queue from marie_scheduler.job where id = $1 and name = any ($2::text[])
