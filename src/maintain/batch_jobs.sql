-- The job table with no more than the jobs of a batch. $4 DAGs, $5 single jobs.
-- Indexes: on (dag_id), and the one on id that every shape has.
job as not materialized (
    select id, name, dag_id, state, completed_on
    from job
    where dag_id = any ($4) or id = any ($5)
)
