-- Writes a day of finished jobs that ends now, and their leftovers: jobs older than a week and a month that were never
-- cleaned up, and jobs that have been stuck for hours. Run in one transaction. The triggers are disabled, because rows
-- are written with past times and in their final state, and the history is written directly.

set local session_replication_role = replica;
set local work_mem = '64MB';

create temporary table past_node on commit drop as
select
    blueprint.*,
    0.3 - 1.5 * ln(1 - random()) as wait_seconds,
    0.2 - mean_run_seconds * ln(1 - random()) as run_seconds,
    floor(power(random(), 12) * 3)::int as retries
from pg_temp.blueprint(3200) as blueprint;

analyze past_node;

-- The outcome of each DAG, and the node that decided it.
create temporary table past_dag on commit drop as
with dice as materialized (
    select
        dag_id, queue, nodes,
        random() as fate_die, random() as age_die, random() as turn_die,
        row_number() over (order by dag_id) as number,
        row_number() over (partition by queue order by dag_id) as number_in_queue
    from past_node
    where position_ = 0
)

select
    dag_id,
    1 + floor(turn_die * (nodes - 2))::int as turn,
    number_in_queue,
    fate,
    now() - case
        when fate = 'stuck' then interval '2 hours' + age_die * interval '18 hours'
        when number <= 60 then interval '8 days' + age_die * interval '21 days'
        when number <= 100 then interval '31 days' + age_die * interval '9 days'
        -- Two waves of load over the day. The sine's weight is small enough to keep the order of ages.
        else interval '3 seconds'
            + interval '24 hours' * greatest(0, age_die - 0.06 * sin(4 * pi() * age_die))
    end as ended_on
from dice,
    lateral (
        select case
            when queue = 'gen5_extract' and number_in_queue <= 12 then 'stuck'
            when number <= 60 then 'completed'
            when number <= 100 then 'failed'
            when fate_die < 0.91 then 'completed'
            when fate_die < 0.94 then 'skipped'
            when fate_die < 0.975 then 'failed'
            when fate_die < 0.99 then 'cancelled'
            else 'expired'
        end as fate
    ) as drawn;

analyze past_dag;

create temporary table past_job on commit drop as
with tried as (
    select
        past_node.*, past_dag.turn, past_dag.fate, past_dag.ended_on, past_dag.number_in_queue,
        case
            when is_control_flow then 0
            when position_ = turn and fate = 'failed' then 2
            when position_ = turn and fate = 'stuck' and number_in_queue % 4 = 3 then 1
            else retries
        end as retry_count
    from past_node
    join past_dag using (dag_id)
),

timed as (
    select
        tried.*,
        case
            when position_ = 0 then 0.2
            when not is_control_flow then 0.4 + sum(
                -- Earlier attempts took time too.
                wait_seconds + run_seconds + retry_count * (mean_run_seconds + 4)
            ) over (partition by dag_id, chain order by position_)
        end as finish_seconds,
        (turn - 1) % width as turn_chain
    from tried
),

ended as (
    select
        timed.*,
        0.3 + max(finish_seconds) over (partition by dag_id) as dag_seconds,
        max(finish_seconds) filter (where position_ = turn)
            over (partition by dag_id) as turn_seconds,
        case
            when fate = 'completed' or position_ < turn then 'completed'
            when fate = 'cancelled' then 'cancelled'
            when fate = 'skipped' and is_control_flow then 'completed'
            when fate = 'skipped' and chain = turn_chain then 'skipped'
            when fate = 'stuck' and position_ = turn
                then case when number_in_queue % 4 = 3 then 'retry' else 'active' end
            when fate = 'stuck' then 'created'
            when position_ = turn then fate
            when is_control_flow or chain = turn_chain then 'created'
            else 'completed'
        end as state
    from timed
)

select
    *,
    case
        when has_started then created_on + make_interval(secs => finish_seconds - run_seconds)
    end as started_on,
    case
        when state in ('created', 'retry', 'active') then null
        when state = 'cancelled' then created_on + make_interval(secs => turn_seconds)
        else created_on + make_interval(secs => coalesce(finish_seconds, dag_seconds))
    end as completed_on
from ended,
    lateral (
        select
            ended_on - make_interval(secs => dag_seconds) as created_on,
            not is_control_flow and (
                state in ('retry', 'active', 'completed', 'failed', 'expired')
                or state = 'cancelled' and position_ = turn
            ) as has_started
    ) as derived;

-- Their times of creation are known only now.
update past_job
set dag_id = pg_temp.dated(dag_id, created_on),
    job_id = pg_temp.dated(job_id, created_on),
    parents = (
        select coalesce(jsonb_agg(pg_temp.dated(parent_id::uuid, created_on)), '[]')
        from jsonb_array_elements_text(parents) as parent_id
    ),
    data = jsonb_set(data, '{metadata,ref_id}', to_jsonb(pg_temp.dated(dag_id, created_on)));

analyze past_job;

insert into dag (
    id, name, state, serialized_dag, started_on, completed_on, created_on, updated_on, soft_sla,
    hard_sla, planner, priority
)
select
    dag_id, dag_id || '_dag',
    case fate when 'stuck' then 'active' when 'completed' then 'completed'
        when 'skipped' then 'completed' else 'failed' end,
    jsonb_build_object('nodes', nodes),
    created_on + interval '0.2 seconds',
    case
        when fate in ('completed', 'skipped') then created_on + make_interval(secs => dag_seconds)
        when fate <> 'stuck' then created_on + make_interval(secs => turn_seconds)
    end,
    created_on, created_on,
    created_on + make_interval(secs => soft_seconds),
    created_on + make_interval(secs => hard_seconds),
    planner, priority
from past_job
where position_ = 0;

-- Of each four stuck jobs one hangs with a lease that is renewed, one has lost its lease, one has never had a lease and is
-- past expire_in, and one waits for its retry.
insert into job (
    id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff,
    start_after, started_on, expire_in, created_on, completed_on, keep_until, output, dependencies,
    dag_id, job_level, soft_sla, hard_sla, run_owner, run_lease_expires_at, run_attempt_id
)
select
    job_id, queue, priority, data, state::job_state, 2,
    case when has_started then retry_count else 0 end, 2, true,
    case when state = 'retry' then now() + interval '5 minutes' else created_on end,
    started_on,
    case when state = 'active' and number_in_queue % 4 = 2 then interval '15 minutes' else expire_in end,
    created_on, completed_on, created_on + interval '2 days',
    case when has_started and completed_on is not null then '{"pages": 3}'::jsonb end,
    parents, dag_id, job_level,
    created_on + make_interval(secs => soft_seconds),
    created_on + make_interval(secs => hard_seconds),
    case when state = 'active' then (array['worker-hung', 'worker-lost', null])[1 + number_in_queue % 4] end,
    case when state = 'active' and number_in_queue % 4 < 2 then started_on + interval '1 minute' end,
    case when state = 'active' and number_in_queue % 4 < 2 then gen_random_uuid() end
from past_job
order by past_job.created_on;

insert into job_dependencies (job_name, job_id, depends_on_name, depends_on_id)
select queue, job_id, queue, parent_id::uuid
from past_job, jsonb_array_elements_text(parents) as parent_id;

insert into job_attempt (
    run_attempt_id, job_id, job_name, dag_id, run_owner, scheduler_lease_owner,
    gateway_instance_id, executor, attempt_state, activated_at, dispatch_confirmed_at, terminal_at,
    terminal_status, terminal_work_state, terminal_source, terminal_accepted, created_on, updated_on
)
select
    coalesce(job.run_attempt_id, gen_random_uuid()), job_id, queue, past_job.dag_id,
    coalesce(job.run_owner, 'worker-1'), 'gateway-1', 'gateway-1', 'executor://' || queue,
    case when past_job.state = 'active' then 'activated' else 'terminal' end,
    past_job.started_on, past_job.started_on, past_job.completed_on,
    case when past_job.state = 'completed' then 'SUCCEEDED' else 'FAILED' end,
    past_job.state, 'worker', past_job.completed_on is not null,
    past_job.started_on, coalesce(past_job.completed_on, past_job.started_on)
from past_job
join job on job.id = job_id
where has_started and (job.run_attempt_id is not null or past_job.completed_on is not null);

insert into kv_store_worker (namespace, key, value, created_at, updated_at)
select
    'job', 'marie_internal/job_info_' || job_id,
    jsonb_build_object('status', case state
        when 'completed' then 'SUCCEEDED' when 'active' then 'RUNNING' else 'FAILED' end),
    started_on, coalesce(completed_on, started_on)
from past_job
where has_started;

-- One row for each change: submitted; activated and reported running, for each attempt; sent back for a retry; ended.
-- Changes of leases are left out.
insert into job_history (
    id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff,
    start_after, started_on, expire_in, created_on, completed_on, keep_until, output, dependencies,
    dag_id, job_level, soft_sla, hard_sla, sla_miss_logged, history_created_on
)
select
    job.id, job.name, job.priority, job.data, change.state::job_state, job.retry_limit,
    change.retry_count, job.retry_delay, job.retry_backoff, job.start_after, change.started_on,
    job.expire_in, job.created_on, change.completed_on, job.keep_until,
    case when change.completed_on is not null then job.output end, job.dependencies, job.dag_id,
    job.job_level, job.soft_sla, job.hard_sla, false, change.happened_on
from job
cross join lateral (
    select 'created' as state, 0 as retry_count, null::timestamptz as started_on,
        null::timestamptz as completed_on, job.created_on as happened_on
    union all
    select
        step.state, try,
        job.started_on - (job.retry_count - try) * interval '4 seconds' + step.shift,
        null,
        job.started_on - (job.retry_count - try) * interval '4 seconds' + step.shift
    from generate_series(0, job.retry_count) as try
    cross join (
        values ('active', interval '-0.2 seconds'), ('active', interval '0'),
            ('retry', interval '1.5 seconds')
    ) as step (state, shift)
    where job.started_on is not null
        and (step.state = 'active' or try < job.retry_count or job.state = 'retry')
    union all
    select job.state::text, job.retry_count, job.started_on, job.completed_on, job.completed_on
    where job.completed_on is not null
) as change
order by change.happened_on;

insert into dag_history (
    id, name, state, serialized_dag, started_on, completed_on, created_on, updated_on, soft_sla,
    hard_sla, sla_miss_logged, planner, priority, history_created_on
)
select
    dag.id, dag.name, change.state, dag.serialized_dag, change.started_on, change.completed_on,
    dag.created_on, dag.updated_on, dag.soft_sla, dag.hard_sla, false, dag.planner, dag.priority,
    change.happened_on
from dag
cross join lateral (
    values
        ('created', null, null, dag.created_on),
        ('active', dag.started_on, null, dag.started_on),
        (dag.state, dag.started_on, dag.completed_on, dag.completed_on)
) as change (state, started_on, completed_on, happened_on)
where change.happened_on is not null
order by change.happened_on;

-- Only the columns that the scheduler filters by, because statistics of wide jsonb columns take most of the time.
analyze
    job (id, name, state, dag_id, start_after, priority, job_level, created_on, started_on, completed_on),
    job_attempt (run_attempt_id, activated_at, terminal_at, dispatch_confirmed_at),
    dag (id, state),
    job_dependencies,
    kv_store_worker (namespace, key);
