-- The parents of waiting jobs from their own lists, found by id: 0.1 s where the maintenance page's form of
-- the same question takes 26 s, for that asks for each pair of jobs. Index: one of job that leads with id.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as not materialized (
    select child.name, child.id, parent.name, parent.id
    from job as child
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(child.dependencies) when 'array' then child.dependencies end
    ) as listed (id)
    join job as parent on parent.id = listed.id::uuid
    where child.state in ('created', 'retry')
)
