-- The parents of waiting jobs from their own lists, found by id. The maintenance page's form of the same question compares
-- each pair of jobs: at 11,000 waiting jobs it takes 26 s, this one 0.1 s.
-- Clients write these lists. An entry that is not an id blocks no job, like the id of a purged job. It must not reach the
-- cast, because one failed cast would fail the whole statement. Index: one of job that leads with id.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as not materialized (
    select child.name, child.id, parent.name, parent.id
    from marie_scheduler.job as child
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(child.dependencies) when 'array' then child.dependencies end
    ) as listed (id)
    join marie_scheduler.job as parent on parent.id = case
        when listed.id ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$' then listed.id::uuid
    end
    where child.state in ('created', 'retry')
)
