-- Finished jobs of one slice: counts by queue and state, retries, throughput, last success and failure, jobs due for
-- clean-up, newest finish. A finished job is one that is not unfinished, so that no list of labels has to fit every shape.
-- $1 to $6 as in by_queue.rs; $7 the finished states that the schema or the documentation names; $8 whether the queues of
-- $1 have rows of zeros: each with each state of $7; $9 whether only jobs in state completed and those without a state are
-- counted; $10 whether every finished job is counted by the pass, otherwise what needs all of them is NULL. Where the state
-- is text, clients may write any: the 20 most frequent of the other states have their label, the rest is `other`.
-- The expression `slice` has the jobs; slice_of_*.sql say which index serves it. Jobs that are not counted matter for the
-- newest finish only. The limits of time are subqueries, because otherwise each job's row computes them again: a third of the
-- cost.
with counted as materialized (
    select
        name::text as queue,
        coalesce(state::text, 'unknown') as state,
        state is null or case
            when $9 then state = 'completed'
            else state not in ('created', 'retry', 'active')
        end as is_counted,
        count(*) as jobs,
        count(*) filter (where retry_count > 0) as retried,
        sum(retry_count) filter (where retry_count > 0) as attempts,
        max(retry_count) filter (where retry_count > 0) as most_attempts,
        max(completed_on) filter (where completed_on between '1970-01-01' and '3000-01-01') as last_finish,
        count(*) filter (where completed_on > (select now() - interval '1 hour') and completed_on <= '3000-01-01') as last_hour,
        count(*) filter (where completed_on > (select now() - interval '24 hours') and completed_on <= '3000-01-01') as last_day,
        count(*) filter (where completed_on < (select now() - interval '7 days')) as older_than_7d,
        count(*) filter (where completed_on < (select now() - interval '30 days')) as older_than_30d
    from slice
    group by name, state
),
label (state) as (
    select unnest($7::text[])
    union all
    (
        select state
        from counted
        where is_counted
            and queue is not null
            and state <> all ($7::text[])
            and octet_length(state) <= 400 and char_length(state) <= 200
            and (state collate "C" ~ $6::text) is not false
        group by state
        order by sum(jobs) desc, state
        limit 20
    )
),
by_state as (
    select counted.queue, coalesce(label.state, 'other') as state, sum(counted.jobs) as jobs
    from counted
    left join label on label.state = counted.state
    where counted.is_counted and counted.queue is not null
    group by counted.queue, label.state
),
known (queue) as (
    select unnest($1::text[])
    where $8::bool
),
by_queue as (
    select
        queue,
        coalesce(sum(retried), 0) as retried,
        coalesce(sum(attempts), 0) as attempts,
        coalesce(max(most_attempts), 0) as most_attempts,
        coalesce(sum(last_hour) filter (where state = 'completed'), 0) as last_hour,
        coalesce(sum(last_day) filter (where state = 'completed'), 0) as last_day,
        max(last_finish) filter (where state = 'completed') as last_completed,
        max(last_finish) filter (where state = 'failed') as last_failed
    from known
    full join (
        select queue, state, retried, attempts, most_attempts, last_hour, last_day, last_finish
        from counted
        where is_counted and queue is not null
    ) as finished using (queue)
    group by queue
)
select
    queue,
    state,
    null::text as rule,
    null::text as activity,
    coalesce(jobs, 0)::float8 as marie_jobs,
    null::float8 as marie_jobs_completed_last_hour,
    null::float8 as marie_jobs_completed_last_day,
    null::float8 as marie_job_last_completed_timestamp_seconds,
    null::float8 as marie_job_last_failed_timestamp_seconds,
    null::float8 as marie_jobs_retried,
    null::float8 as marie_jobs_retry_attempts,
    null::float8 as marie_jobs_retry_attempts_max,
    null::float8 as marie_jobs_cleanup_due,
    null::float8 as marie_scheduler_last_activity_timestamp_seconds
from (
    select known.queue, states.state
    from known
    cross join unnest($7::text[]) as states (state)
) as series
full join by_state using (queue, state)
union all
select
    queue,
    null,
    null,
    null,
    null,
    last_hour,
    last_day,
    extract(epoch from last_completed),
    extract(epoch from last_failed),
    case when $10 then retried end,
    case when $10 then attempts end,
    case when $10 then most_attempts end,
    null,
    null
from by_queue
union all
select
    null,
    null,
    rules.rule,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    coalesce(due.jobs, 0),
    null
from unnest(array['completed_7d', 'failed_30d']) as rules (rule)
left join (
    select case state when 'completed' then 'completed_7d' else 'failed_30d' end as rule,
        sum(case state when 'completed' then older_than_7d else older_than_30d end) as jobs
    from counted
    where state in ('completed', 'failed') and is_counted
    group by state
) as due using (rule)
where $10 or rules.rule = 'completed_7d'
union all
select
    null, null, null, 'finish', null, null, null, null, null, null, null, null, null,
    extract(epoch from max(last_finish))
from counted
