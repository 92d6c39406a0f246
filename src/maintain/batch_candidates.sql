-- Common table expression for judge.sql: the jobs of a batch. $4 DAGs; $5 single jobs; $2 whether those may be in a DAG.
-- Indexes: one on (dag_id), and the one on id that every shape has.
candidate as not materialized (
    select id, name, dag_id, state, completed_on
    from marie_scheduler.job
    where dag_id = any ($4) or id = any ($5) and ($2 or dag_id is null)
)
