-- Returns the jobs that a worker could take now, those that marie_jobs_ready counts, by the rule of waiting_job.sql.
-- The order is that of the maintenance page: priority, then age.
-- $1 limit, $2 offset, $3 queues, NULL for all, $4 DAG, NULL for all, $5 whether only the first job of each DAG.
-- Index: one that leads with state for the waiting jobs, then those of waiting_job.sql for each of them.
with ready as (
    select
        w.id,
        w.name as queue,
        w.state,
        w.dag_id,
        j.priority,
        w.created_on,
        w.start_after,
        row_number() over (
            -- A job without a DAG is a partition of its own.
            partition by coalesce(w.dag_id, w.id) order by j.priority desc, w.created_on, w.id
        ) as place
    from waiting_job as w
    join marie_scheduler.job as j on j.name = w.name and j.id = w.id
    where w.reason is null
        and not w.is_deferred
        and ($3::text[] is null or w.name = any ($3))
        and ($4::uuid is null or w.dag_id = $4)
)
select
    id,
    queue,
    state,
    dag_id,
    priority,
    created_on,
    start_after,
    case
        when created_on between '1970-01-01' and '3000-01-01' then extract(epoch from now() - created_on)
    end as age
from ready
where not $5 or place = 1
order by priority desc, created_on, id
limit $1 offset $2
