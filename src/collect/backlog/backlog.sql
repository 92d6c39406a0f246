-- Everything that is published of unfinished jobs, from one reading of those of a scope (unfinished*.sql): counts by
-- state, ready, deferred and blocked jobs, SLAs, retries, the newest start and lease of a waiting job, and stalled DAGs. Active jobs
-- are counted by state elsewhere.
-- $1 to $6 as in by_queue.rs; $7 how soon an SLA is due soon, in seconds; $8 whether each queue of $1 has rows of 0; $9
-- the same for each reason of stalled DAGs.
-- Rows with the same labels are merged by by_queue.rs. Indexes: those of the scope, of parents_by_*.sql and judged.sql,
-- and one of job that leads with dag_id for DAGs that nothing moves.
with tally as materialized (
    select
        name::text as queue,
        name is not null as has_queue,
        state::text as state,
        reason,
        is_deferred,
        count(*) as jobs,
        min(created_on) filter (where created_on between '1970-01-01' and '3000-01-01') as oldest_created,
        min(ready_since) filter (where ready_since between '1970-01-01' and '3000-01-01') as oldest_ready,
        max(started_on) filter (where started_on between '1970-01-01' and '3000-01-01') as newest_start,
        greatest(
            max(lease_expires_at) filter (where lease_expires_at between '1970-01-01' and '3000-01-01'),
            max(run_lease_expires_at) filter (where run_lease_expires_at between '1970-01-01' and '3000-01-01')
        ) as newest_lease,
        count(*) filter (where retry_count >= retry_limit) as exhausted,
        count(*) filter (where retry_count > 0) as retried,
        coalesce(sum(retry_count) filter (where retry_count > 0), 0) as attempts,
        coalesce(max(retry_count) filter (where retry_count > 0), 0) as most_attempts,
        count(*) filter (where soft_sla > promised_after and soft_sla < now()) as soft_overdue,
        count(*) filter (
            where soft_sla > promised_after and soft_sla >= now() and soft_sla <= now() + make_interval(secs => $7)
        ) as soft_due,
        count(*) filter (where hard_sla > promised_after and hard_sla < now()) as hard_overdue,
        count(*) filter (
            where hard_sla > promised_after and hard_sla >= now() and hard_sla <= now() + make_interval(secs => $7)
        ) as hard_due
    from (
        select
            name, state, reason, is_deferred, created_on, ready_since, started_on, retry_count, retry_limit, soft_sla,
            hard_sla, lease_expires_at, run_lease_expires_at,
            -- An SLA within a minute of the creation is no promise: the gateway's clock may be ahead.
            case when created_on < '3000-01-01' then created_on + interval '1 minute' end as promised_after
        from judged
        where is_job
    ) as job
    group by name, state, reason, is_deferred
    union all
    -- A NULL in $1 is the label of queues without rows of their own.
    select queue, true, state, reason, false, 0, null, null, null, null, 0, 0, 0, 0, 0, 0, 0, 0
    from unnest($1::text[]) as known (queue)
    cross join unnest(array['created', 'retry']) as states (state)
    cross join unnest(array['dependency', 'parent_failed', 'dag_finished']) as reasons (reason)
    where $8
),
-- EXCEPT hashes or sorts, as the full joins of judged.sql do.
stalled as materialized (
    select id
    from open_dag
    except
    select dag_id
    from judged
    where is_job and reason is null
),
stalled_dag as (
    select
        case (select bool_or(j.state = 'failed') from marie_scheduler.job as j where j.dag_id = s.id)
            when true then 'failed_job'
            when false then 'no_runnable_job'
            else 'no_jobs'
        end as reason
    from stalled as s
)
select
    queue,
    state,
    null::text as reason,
    null::text as sla,
    null::text as activity,
    jobs::float8 as marie_jobs,
    extract(epoch from oldest_created)::float8 as marie_oldest_waiting_job_timestamp_seconds,
    null::float8 as marie_jobs_ready,
    null::float8 as marie_jobs_deferred,
    null::float8 as marie_oldest_ready_job_timestamp_seconds,
    null::float8 as marie_jobs_retries_exhausted,
    null::float8 as marie_jobs_retried,
    null::float8 as marie_jobs_retry_attempts,
    null::float8 as marie_jobs_retry_attempts_max,
    null::float8 as marie_jobs_blocked,
    null::float8 as marie_jobs_sla_overdue,
    null::float8 as marie_jobs_sla_due_soon,
    null::float8 as marie_scheduler_last_activity_timestamp_seconds,
    null::float8 as marie_dags_stalled
from tally
where has_queue and state <> 'active'
union all
select
    queue, null, null, null, null, null, null,
    case when is_ready then jobs else 0 end,
    case when is_free and is_deferred then jobs else 0 end,
    case when is_ready then extract(epoch from oldest_ready) end,
    exhausted,
    retried,
    attempts,
    most_attempts,
    null, null, null, null, null
from tally
cross join lateral (select state <> 'active' and reason is null as is_free) as f
cross join lateral (select is_free and not is_deferred as is_ready) as r
where has_queue
union all
select queue, null, reason, null, null, null, null, null, null, null, null, null, null, null, jobs, null, null, null, null
from tally
where has_queue and reason is not null
union all
select queue, null, null, v.sla, null, null, null, null, null, null, null, null, null, null, null, overdue, due, null, null
from tally
cross join lateral (
    values ('soft', soft_overdue, soft_due), ('hard', hard_overdue, hard_due)
) as v (sla, overdue, due)
where has_queue
union all
-- A job that waits for its retry keeps its start. A scheduler that leases a waiting job is alive until the lease expires.
select
    null, null, null, null, v.activity, null, null, null, null, null, null, null, null, null, null, null, null,
    extract(epoch from v.seen), null
from tally
cross join lateral (values ('start', newest_start), ('lease', case when newest_lease > now() then now() else newest_lease end)) as v (activity, seen)
where state <> 'active'
union all
select null, null, reason, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, count(*)
from stalled_dag
group by reason
union all
select null, null, reason, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, 0
from unnest(array['no_jobs', 'failed_job', 'no_runnable_job']) as reasons (reason)
where $9
