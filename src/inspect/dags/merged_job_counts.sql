-- Adds up the job counts of each DAG from two groups of queues. `part` has the rows of both groups; $3 is the limit.
select json_build_object('id', id, 'jobs', sum(jobs), 'finished', sum(finished), 'failed', sum(failed))::text as line
from part
group by id
limit $3
