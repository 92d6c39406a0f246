-- Every queue of the table queue but the `$NAME_dlq` twins; those that hold a job are found in job.
-- Costs a pass over that table, which has a row for each queue.
select name::text as queue
from marie_scheduler.queue
where name not like '$%\_dlq'
