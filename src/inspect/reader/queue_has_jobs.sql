-- Returns whether a job is in the queue $1. Index: one that leads with name. Without it every job is read.
select exists (select from marie_scheduler.job where name = $1) as known
