-- The pairs of a waiting job and a parent, found child by child, where no index of job_dependencies leads with job_id.
-- Index: the primary key of job_dependencies.
edge as materialized (
    select d.job_name, d.job_id, d.depends_on_name, d.depends_on_id
    from unfinished as u
    cross join lateral (
        select e.job_name, e.job_id, e.depends_on_name, e.depends_on_id
        from marie_scheduler.job_dependencies as e
        where e.job_name = u.name and e.job_id = u.id
        offset 0
    ) as d
    where u.state in ('created', 'retry')
)
