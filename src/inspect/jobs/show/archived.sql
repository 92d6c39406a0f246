-- Returns a job that was moved to the archive. $1 its id. Index: the archive's on id.
select name as queue, state, completed_on, archived_on
from marie_scheduler.archive
where id = $1
limit 1
