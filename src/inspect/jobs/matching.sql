-- Replaces the table job by the jobs whose data->metadata has, under each key of $7, the value of $8 at the same place.
-- Both are compared as text.
-- No index serves it: the payload of each job that passes the other filters is read. The id is an expression, so that
-- rows are read in the table's order. In the order of the index on id, reading payloads takes many times as long.
job as not materialized (
    select
        id::text::uuid as id,
        name, state, dag_id, priority, retry_count, retry_limit, created_on, started_on, completed_on
    from marie_scheduler.job
    where data -> 'metadata' ->> ($7::text[])[1] = ($8::text[])[1]
        and (
            cardinality($7::text[]) = 1
            or not exists (
                select
                from unnest($7::text[], $8::text[]) as wanted (key, value)
                where (data -> 'metadata' ->> wanted.key) is distinct from wanted.value
            )
        )
)
