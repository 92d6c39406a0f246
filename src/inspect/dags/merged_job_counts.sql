-- The jobs of DAGs in two groups of queues together. $3 how many DAGs; part has the rows of both.
select json_build_object('id', id, 'jobs', sum(jobs), 'finished', sum(finished), 'failed', sum(failed))::text as line
from part
group by id
limit $3
