-- Submits $1 new DAGs with their jobs, all in state created. A few jobs may start only later.

with plan as materialized (
    select *, random() < 0.03 and not is_control_flow as is_deferred
    from pg_temp.blueprint($1)
),

new_dag as (
    insert into dag (id, name, state, serialized_dag, soft_sla, hard_sla, planner, priority)
    select
        dag_id, dag_id || '_dag', 'created', jsonb_build_object('nodes', nodes),
        now() + make_interval(secs => soft_seconds), now() + make_interval(secs => hard_seconds),
        planner, priority
    from plan
    where position_ = 0
)

insert into job (
    id, name, priority, data, dependencies, dag_id, job_level, retry_limit, retry_delay,
    retry_backoff, start_after, expire_in, keep_until, soft_sla, hard_sla
)
select
    job_id, queue, priority, data, parents, dag_id, job_level, 2, 2, true,
    case when is_deferred then now() + make_interval(secs => 30 + random() * 270) else now() end,
    expire_in, now() + interval '2 days',
    now() + make_interval(secs => soft_seconds), now() + make_interval(secs => hard_seconds)
from plan
