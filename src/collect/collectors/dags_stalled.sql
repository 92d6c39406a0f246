-- Unfinished DAGs that nothing will move, by the first reason that holds. A deferred job will move its DAG.
-- Index: one of job that leads with state for the active and the waiting jobs, the partial ones of dag over unfinished
-- DAGs, and those of waiting_job.sql for waiting jobs of DAGs without an active job. Only DAGs that nothing moves are
-- read one by one, by job (dag_id). EXCEPT hashes or sorts; an anti join of two expressions, whose sizes the planner does
-- not know, can become a loop over all pairs. The ids as an array, so that parents are read last.
with quiet as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
    except
    select j.dag_id
    from marie_scheduler.job as j
    where j.state = 'active'
),
stalled as materialized (
    select id
    from quiet
    except
    select w.dag_id
    from waiting_job as w
    where w.dag_id = any (array(select id from quiet)) and w.reason is null
),
verdict as (
    select
        case (select bool_or(j.state = 'failed') from marie_scheduler.job as j where j.dag_id = s.id)
            when true then 'failed_job'
            when false then 'no_runnable_job'
            else 'no_jobs'
        end as reason
    from stalled as s
)
select
    reason,
    count(v.reason)::float8 as marie_dags_stalled
from unnest(array['no_jobs', 'failed_job', 'no_runnable_job']) as reasons (reason)
left join verdict as v using (reason)
group by reason
