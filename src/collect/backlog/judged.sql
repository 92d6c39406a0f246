-- The unfinished jobs of the scope (unfinished), and what each waiting one (created, retry) waits for. is_job is NULL in
-- rows that are no job of the scope.
-- reason is the first that holds, and NULL for a job that a worker may take once start_after has passed.
-- ready_since is the time from which a worker could take a ready job.
-- The planner does not know how many rows a scope has. An inner or left join of two expressions could become a loop over
-- all pairs; a full join is hashed or merged. Only parents outside of the scope are looked up, one by one, and the states
-- of DAGs. Indexes: the primary keys of job and dag.
parent as materialized (
    select e.job_name, e.job_id, e.depends_on_name, e.depends_on_id, u.is_unfinished
    from edge as e
    full join (select name, id, true as is_unfinished from unfinished) as u
        on u.name = e.depends_on_name and u.id = e.depends_on_id
),
verdict as materialized (
    select
        job_name,
        job_id,
        bool_or(is_failed) as is_failed,
        bool_or(is_unfinished) as is_unfinished,
        max(completed_on) as last_completed
    from (
        select job_name, job_id, false as is_failed, true as is_unfinished, null::timestamptz as completed_on
        from parent
        where is_unfinished and job_id is not null
        union all
        select
            p.job_name,
            p.job_id,
            outside.state in ('expired', 'cancelled', 'failed'),
            outside.state in ('created', 'retry', 'active'),
            outside.completed_on
        from parent as p
        cross join lateral (
            select j.state, j.completed_on
            from marie_scheduler.job as j
            where j.name = p.depends_on_name and j.id = p.depends_on_id
            offset 0
        ) as outside
        where p.is_unfinished is null
    ) as known_parent
    group by job_name, job_id
),
dag_state as materialized (
    select d.id, d.state
    from marie_scheduler.dag as d
    where d.id = any (array(select u.dag_id from unfinished as u))
),
judged as materialized (
    select
        u.is_job, u.name, u.id, u.dag_id, u.state, u.created_on, u.started_on, u.start_after, u.retry_count,
        u.retry_limit, u.soft_sla, u.hard_sla,
        case
            when u.state = 'active' then null
            when finished_dag.id is not null then 'dag_finished'
            when v.is_failed then 'parent_failed'
            when v.is_unfinished then 'dependency'
        end as reason,
        (u.start_after > now()) is true as is_deferred,
        greatest(u.created_on, u.start_after, v.last_completed) as ready_since
    from (
        select
            true as is_job, name, id, dag_id, state, created_on, started_on, start_after, retry_count, retry_limit,
            soft_sla, hard_sla
        from unfinished
    ) as u
    full join verdict as v on v.job_name = u.name and v.job_id = u.id
    full join (
        select id from dag_state where state in ('completed', 'failed', 'cancelled', 'expired')
    ) as finished_dag on finished_dag.id = u.dag_id
)
