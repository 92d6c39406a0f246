-- Returns a DAG's jobs in the order in which they can run.
-- $1 the DAG's id, $2 queues with their own threshold for stuck jobs, $3 their thresholds in seconds, $4 that of all
-- others.
-- Index: one of job that leads with dag_id. Without it every job is read.
select
    id,
    name as queue,
    state,
    job_level as level,
    retry_count,
    started_on,
    completed_on,
    case
        when state in ('created', 'retry') or (started_on between '1970-01-01' and '3000-01-01') is not true
        then null
        when state = 'active' then greatest(extract(epoch from now() - started_on), 0)
        when completed_on between '1970-01-01' and '3000-01-01'
        then greatest(extract(epoch from completed_on - started_on), 0)
    end as run_time,
    state = 'active' and started_on < now() - make_interval(secs => coalesce(own.seconds, $4::float8)) as is_stuck,
    case when state in ('created', 'retry') and start_after > now() then start_after end as deferred_until
from marie_scheduler.job
left join unnest($2::text[], $3::float8[]) as own (queue, seconds) on own.queue = name
where dag_id = $1
order by job_level desc nulls last, started_on, id
