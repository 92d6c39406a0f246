-- Adds up the throughput of two groups of queues. An hour that only one of them has is left out: a new hour began
-- between the two transactions. `part` has the rows of both groups; $3 is the limit.
select json_build_object('hour', hour, 'completed', sum(completed), 'bar', sum(bar))::text as line
from part
group by hour
having count(*) = 2
order by hour
limit $3
