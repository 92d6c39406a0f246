-- No rows, where parents cannot be read. What depends on them is not published then.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as (
    select null::text, null::uuid, null::text, null::uuid where false
)
