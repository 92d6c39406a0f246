-- The unfinished jobs of the scope (unfinished), and what each waiting one (created, retry) waits for. is_job is NULL in
-- rows that are no job of the scope.
-- reason is the first that holds, and NULL for a job that a worker may take once start_after has passed.
-- ready_since is the time from which a worker could take a ready job.
-- The same rule as waiting_job.sql, for many jobs at once; a test holds both equal.
-- The planner does not know how many rows a scope has. An inner or left join of two expressions could become a loop over
-- all pairs; a full join is hashed or merged, and EXCEPT too. Only parents outside of the scope are looked up, queue by
-- queue, and DAGs that are not known to be unfinished. Indexes: the primary keys of job and dag.
parent as materialized (
    select e.job_name, e.job_id, e.depends_on_name, e.depends_on_id, u.is_unfinished
    from edge as e
    full join (select name, id, true as is_unfinished from unfinished) as u
        on u.name = e.depends_on_name and u.id = e.depends_on_id
),
outside as materialized (
    select found.name, found.id, found.state, found.completed_on
    from (
        select depends_on_name as name, array_agg(depends_on_id) as ids
        from parent
        where is_unfinished is null
        group by depends_on_name
    ) as wanted
    cross join lateral (
        select j.name, j.id, j.state, j.completed_on
        from marie_scheduler.job as j
        where j.name = wanted.name and j.id = any (wanted.ids)
        offset 0
    ) as found
),
verdict as (
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
            o.state in ('expired', 'cancelled', 'failed'),
            o.state in ('created', 'retry', 'active'),
            o.completed_on
        from (
            select job_name, job_id, depends_on_name, depends_on_id from parent where is_unfinished is null
        ) as p
        full join outside as o on o.name = p.depends_on_name and o.id = p.depends_on_id
    ) as known_parent
    group by job_name, job_id
),
-- The subquery of IN is hashed: the planner expects few rows, however many there are.
other_dag as materialized (
    select d.id, d.state
    from marie_scheduler.dag as d
    where d.id = any (array(select u.dag_id from unfinished as u except select o.id from open_dag as o))
),
judged as materialized (
    select
        u.is_job, u.name, u.id, u.dag_id, u.state, u.created_on, u.started_on, u.start_after, u.retry_count,
        u.retry_limit, u.soft_sla, u.hard_sla, u.lease_expires_at, u.run_lease_expires_at,
        case
            when u.state = 'active' then null
            when u.dag_id in (select id from other_dag where state in ('completed', 'failed', 'cancelled', 'expired'))
                then 'dag_finished'
            when v.is_failed then 'parent_failed'
            when v.is_unfinished then 'dependency'
        end as reason,
        (u.start_after > now()) is true as is_deferred,
        greatest(u.created_on, u.start_after, v.last_completed) as ready_since
    from (
        select
            true as is_job, name, id, dag_id, state, created_on, started_on, start_after, retry_count, retry_limit,
            soft_sla, hard_sla, lease_expires_at, run_lease_expires_at
        from unfinished
    ) as u
    full join verdict as v on v.job_name = u.name and v.job_id = u.id
)
