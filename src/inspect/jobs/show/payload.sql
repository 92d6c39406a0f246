-- Returns a job's payload and output as indented JSON text. $1 its id. Index: the one on id.
select jsonb_pretty(data) as data, jsonb_pretty(output) as output
from marie_scheduler.job
where id = $1
limit 1
