-- Waiting jobs (created, retry) split into ready, deferred and blocked, each counted once, by the rule of waiting_job.sql.
-- $1 to $6 as in by_queue.rs; each queue of $1 has a row, and one for each reason, even with 0 jobs.
-- Index: one that leads with state for the waiting jobs, and those of waiting_job.sql.
with waiting as (
    select name::text as queue, reason, is_deferred, ready_since
    from waiting_job
    where name is not null
)
select
    queue,
    null::text as reason,
    (count(w.queue) filter (where w.reason is null and not w.is_deferred))::float8 as marie_jobs_ready,
    (count(w.queue) filter (where w.reason is null and w.is_deferred))::float8 as marie_jobs_deferred,
    null::float8 as marie_jobs_blocked,
    extract(
        epoch from min(w.ready_since) filter (
            where w.reason is null and not w.is_deferred and w.ready_since between '1970-01-01' and '3000-01-01'
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
