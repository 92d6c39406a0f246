-- Who waits for the job $1, as jobs/show/children.sql reads it, from the jobs' own lists. An id counts in small letters and
-- in capitals, with its dashes and without; one that is written in yet another way is not found. Scalar subqueries are
-- answered once, not for each job. Index: a GIN index on dependencies. Without it every job's list is read.
job_dependencies (job_name, job_id, depends_on_name, depends_on_id) as not materialized (
    select child.name, child.id, null::text, $1::uuid
    from marie_scheduler.job as child
    where child.dependencies @> (select jsonb_build_array($1::uuid::text))
        or child.dependencies @> (select jsonb_build_array(upper($1::uuid::text)))
        or child.dependencies @> (select jsonb_build_array(replace($1::uuid::text, '-', '')))
        or child.dependencies @> (select jsonb_build_array(upper(replace($1::uuid::text, '-', ''))))
)
