-- Returns the true numbers of sighting.rs: the index of the family (number), the value of the label that divides it, and
-- how many jobs or DAGs it has.
with waiting as materialized (
    select w.name, w.id, w.dag_id, w.start_after
    from job as w
    where w.state in ('created', 'retry')
        and not exists (
            select
            from job_dependencies as d
            join job as p on p.name = d.depends_on_name and p.id = d.depends_on_id
            where d.job_name = w.name and d.job_id = w.id and p.state <> 'completed'
        )
        and not exists (
            select from dag where dag.id = w.dag_id and dag.state in ('completed', 'failed', 'cancelled', 'expired')
        )
),
stalled as (
    select g.id
    from dag as g
    where g.state not in ('completed', 'failed', 'cancelled')
        and not exists (select from waiting as w where w.dag_id = g.id)
        and not exists (select from job as j where j.dag_id = g.id and j.state = 'active')
)
select 0 as number, name as part, count(*)::float8 as value from job where state = 'created' group by name
union all
select 1, name, count(*) from waiting where start_after <= now() group by name
union all
select
    2,
    case
        when exists (select from job as j where j.dag_id = s.id and j.state = 'failed') then 'failed_job'
        when exists (select from job as j where j.dag_id = s.id) then 'no_runnable_job'
        else 'no_jobs'
    end,
    count(*)
from stalled as s
group by 2
union all
select 3, name, count(*) from job where state = 'completed' group by name
