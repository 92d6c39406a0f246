-- Returns which of a DAG's jobs waits for which parent, from the jobs' own lists and from job_dependencies. $1 the
-- DAG's id.
-- Indexes: one of job that leads with dag_id, and the primary key of job_dependencies.
select child.id as job, parent.id as parent
from marie_scheduler.job as child
cross join lateral (
    select case when entry ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$' then entry::uuid end
    from jsonb_array_elements_text(
        case jsonb_typeof(child.dependencies) when 'array' then child.dependencies end
    ) as entries (entry)
    union
    select depends_on_id
    from marie_scheduler.job_dependencies
    where job_name = child.name
        and job_id = child.id
) as parent (id)
where child.dag_id = $1
    and parent.id is not null
