-- The parents of all jobs from their own lists. Clients write these: an entry that is no id names no job, and must not
-- fail the cast.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as not materialized (
    select
        child.name,
        child.id,
        null::text,
        case when listed.id ~* '^([0-9a-f]{4}-?){7}[0-9a-f]{4}$' then listed.id::uuid end
    from job as child
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(child.dependencies) when 'array' then child.dependencies end
    ) as listed (id)
)
