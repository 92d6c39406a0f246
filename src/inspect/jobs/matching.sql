-- The jobs whose data->metadata has under each key of $7 the value of $8 at its place, compared as text.
-- No index serves it: the payloads of all jobs are read that the other filters let through, and in the table's order, for
-- which the id is an expression: to follow its index from one payload to the next takes many times as long.
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
