-- The queues of two groups of queues, each with the counts of the group that it belongs to: in the other answer it has
-- no jobs. $3 how many; part has the rows of both.
select line
from (
    select distinct on (queue) line, queue
    from part
    order by queue, created + retry + active desc
) as own
order by queue
limit $3
