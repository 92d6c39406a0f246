-- Waiting jobs (created, retry) split into ready, deferred and blocked, each counted once.
-- $1 to $6 as in by_queue.rs; each queue of $1 has a row, and one for each reason, even with 0 jobs.
-- Index: one that leads with state for the waiting jobs; then, for each of them, the primary keys of dag,
-- job_dependencies and job. The parents' rows are the only finished jobs that are read. Written with scalar
-- and lateral subqueries, which are answered job by job: no estimate can turn them into a pass over the
-- history.
with waiting as (
    select
        w.name::text as queue,
        greatest(w.created_on, w.start_after, parent.last_completed) as ready_since,
        case
            when (
                select d.state in ('completed', 'failed', 'cancelled', 'expired')
                from marie_scheduler.dag as d
                where d.id = w.dag_id
            ) then 'dag_finished'
            when parent.failed > 0 then 'parent_failed'
            when parent.unfinished > 0 then 'dependency'
        end as reason,
        w.start_after > now() as deferred
    from marie_scheduler.job as w
    cross join lateral (
        select
            count(*) filter (where p.state in ('expired', 'cancelled', 'failed')) as failed,
            count(*) filter (where p.state in ('created', 'retry', 'active')) as unfinished,
            max(p.completed_on) as last_completed
        from marie_scheduler.job_dependencies as d
        join marie_scheduler.job as p on p.name = d.depends_on_name and p.id = d.depends_on_id
        where d.job_name = w.name and d.job_id = w.id
    ) as parent
    where w.state in ('created', 'retry')
        and w.name is not null
)
select
    queue,
    null::text as reason,
    (count(w.queue) filter (where w.reason is null and w.deferred is not true))::float8 as marie_jobs_ready,
    (count(w.queue) filter (where w.reason is null and w.deferred))::float8 as marie_jobs_deferred,
    null::float8 as marie_jobs_blocked,
    extract(
        epoch from min(w.ready_since) filter (
            where w.reason is null and w.deferred is not true and w.ready_since between '1970-01-01' and '3000-01-01'
        )
    )::float8 as marie_oldest_ready_job_timestamp_seconds
from unnest($1::text[]) as known (queue)
full join waiting as w using (queue)
group by queue
union all
select
    queue,
    reason,
    null::float8,
    null::float8,
    count(w.queue)::float8,
    null::float8
from (
    select queue, reason
    from unnest($1::text[]) as known (queue)
    cross join unnest(array['dependency', 'parent_failed', 'dag_finished']) as reasons (reason)
) as series
full join (select queue, reason from waiting where reason is not null) as w using (queue, reason)
group by queue, reason
