-- Returns whether the table queue has the queue $1. Index: its primary key.
select exists (select from marie_scheduler.queue where name = $1) as known
