-- The pairs of a waiting job and a parent, found by the child's id in one sorted pass over the index.
-- Index: one of job_dependencies that leads with job_id.
edge as (
    select d.job_name, d.job_id, d.depends_on_name, d.depends_on_id
    from marie_scheduler.job_dependencies as d
    where d.job_id = any (array(select u.id from unfinished as u where u.state in ('created', 'retry')))
)
