-- Merges the queues of two groups. Of the two rows of a queue the one with jobs is kept, because each group counts the
-- jobs of its own queues only. `part` has the rows of both groups; $3 is the limit.
select line
from (
    select distinct on (queue) line, queue
    from part
    order by queue, created + retry + active desc
) as own
order by queue
limit $3
