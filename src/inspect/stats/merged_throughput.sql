-- The throughput of two groups of queues together. An hour that only one of them knows is left out: the hour changed in
-- between. $3 how many hours; part has the rows of both.
select json_build_object('hour', hour, 'completed', sum(completed), 'bar', sum(bar))::text as line
from part
group by hour
having count(*) = 2
order by hour
limit $3
