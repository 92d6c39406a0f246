-- Unfinished jobs past their soft or hard SLA, or due within $7 seconds.
-- $1 to $6 as in by_queue.rs; each queue of $1 has a row for soft and for hard.
-- Index: one that leads with state. Without it every job is read. The partial indexes on the SLA columns
-- do not help: every job that the gateway submits has both.
with promise as (
    select j.name::text as queue, v.sla, v.deadline
    from marie_scheduler.job as j
    cross join lateral (values ('soft', j.soft_sla), ('hard', j.hard_sla)) as v (sla, deadline)
    where j.state in ('created', 'retry', 'active')
        -- An SLA within a minute of the creation is no promise: the gateway's clock may be ahead.
        and case when j.created_on < '3000-01-01' then v.deadline > j.created_on + interval '1 minute' end
        and j.name is not null
)
select
    queue,
    sla,
    (count(p.queue) filter (where p.deadline < now()))::float8 as marie_jobs_sla_overdue,
    (
        count(p.queue) filter (
            where p.deadline >= now() and p.deadline <= now() + make_interval(secs => $7)
        )
    )::float8 as marie_jobs_sla_due_soon
from (
    select queue, sla
    from unnest($1::text[]) as known (queue)
    cross join unnest(array['soft', 'hard']) as slas (sla)
) as series
full join promise as p using (queue, sla)
group by queue, sla
