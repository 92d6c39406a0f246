-- The waiting jobs (created, retry) and what each of them waits for, row by row: for lists, which need no planner settings.
-- judged.sql has the same rule for many jobs at once; a test holds both equal.
-- reason is the first that holds, and NULL for a job that a worker may take once start_after has passed.
-- ready_since is the time from which a worker could take a ready job.
-- Index: for each waiting job the primary keys of dag, job_dependencies and job. The parents' rows are the only
-- finished jobs that are read. Scalar and lateral subqueries run row by row, so no estimate turns them into a pass over
-- the history.
waiting_job as not materialized (
    select
        w.name,
        w.id,
        w.state,
        w.dag_id,
        w.created_on,
        w.start_after,
        case
            when (
                select d.state in ('completed', 'failed', 'cancelled', 'expired')
                from marie_scheduler.dag as d
                where d.id = w.dag_id
            ) then 'dag_finished'
            when parent.failed > 0 then 'parent_failed'
            when parent.unfinished > 0 then 'dependency'
        end as reason,
        (w.start_after > now()) is true as is_deferred,
        greatest(w.created_on, w.start_after, parent.last_completed) as ready_since
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
)
