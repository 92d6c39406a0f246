-- Returns the jobs that a job waits or has waited for, from its own list and from job_dependencies. A parent without a
-- row, because it was purged, has no state.
-- $1 the job's id. Indexes: job's on id, and the primary key of job_dependencies.
with listed as (
    select case when entry ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$' then entry::uuid end as id
    from marie_scheduler.job as child
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(child.dependencies) when 'array' then child.dependencies end
    ) as entries (entry)
    where child.id = $1
    union
    select d.depends_on_id
    from marie_scheduler.job as child
    join marie_scheduler.job_dependencies as d on d.job_name = child.name and d.job_id = child.id
    where child.id = $1
)
select listed.id, p.queue, p.state, p.started_on, p.completed_on
from listed
left join lateral (
    select name as queue, state, started_on, completed_on
    from marie_scheduler.job
    where id = listed.id
    limit 1
) as p on true
where listed.id is not null
order by p.completed_on desc nulls first, listed.id
