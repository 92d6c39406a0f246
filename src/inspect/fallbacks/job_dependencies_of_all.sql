-- The children of the job $1 for jobs/show/children.sql, from the jobs' own lists. The id is found in lower and upper
-- case, with and without dashes, and in no other spelling. The scalar subqueries are evaluated once, not for each job.
-- Index: a GIN index on dependencies. Without it every job's list is read.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as not materialized (
    select child.name, child.id, null::text, $1::uuid
    from marie_scheduler.job as child
    where child.dependencies @> (select jsonb_build_array($1::uuid::text))
        or child.dependencies @> (select jsonb_build_array(upper($1::uuid::text)))
        or child.dependencies @> (select jsonb_build_array(replace($1::uuid::text, '-', '')))
        or child.dependencies @> (select jsonb_build_array(upper(replace($1::uuid::text, '-', ''))))
)
