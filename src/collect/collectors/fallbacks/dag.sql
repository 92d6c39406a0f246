-- No DAGs.
dag (id, state) as (
    select null::uuid, null::text where false
)
