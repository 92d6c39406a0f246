-- No rows, for queries that read the jobs' own lists anyway.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as (
    select null::text, null::uuid, null::text, null::uuid where false
)
