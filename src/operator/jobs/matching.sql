-- The jobs whose data->metadata has under each key of $7 the value of $8 at its place, compared as text.
-- No index serves it: the payloads of all jobs are read that the other filters let through.
job as not materialized (
    select
        id, name, state, dag_id, priority, retry_count, retry_limit, created_on, started_on, completed_on
    from job
    where not exists (
        select
        from unnest($7::text[], $8::text[]) as wanted (key, value)
        where (data -> 'metadata' ->> wanted.key) is distinct from wanted.value
    )
)
