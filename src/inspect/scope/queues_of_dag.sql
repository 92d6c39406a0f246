-- Returns those of the queues $2 that have jobs of the DAG $1. Index: one of job that leads with dag_id.
select distinct name::text as queue from marie_scheduler.job where dag_id = $1 and name = any ($2::text[])
