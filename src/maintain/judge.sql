-- Returns the jobs of all units that are old enough, by unit, queue and state. `kept` is the reason if the unit stays.
-- A unit is a DAG with all its jobs, or a single job: one without a DAG, or each job if $2 is set.
--
-- A DAG is due if its own state is finished, none of its jobs can still run, and none ended after the cut-off. Jobs in the
-- state created that wait for a failed parent in their DAG can never run, so they are removed with it. A job that was
-- reset waits for no parent and keeps its DAG, as does a job in an unknown state. States are compared as text, because no
-- enum has all of them.
--
-- $1 cut-off, as text; $2 whether each job is a unit; $3 how the unit ended: any, completed (all its jobs were completed or
-- skipped), or failed (a job failed, expired or was cancelled). A single job must be exactly completed or failed.
-- Reads every job once, with any index, and the parents of created jobs. For a batch it reads only the jobs of its units
-- (batch_candidates.sql).
with job_of_candidate as (
    select
        *,
        state::text in ('completed', 'skipped', 'failed', 'expired', 'cancelled') as is_finished
    from candidate
),
part as (
    select
        case when $2 then j.id else coalesce(j.dag_id, j.id) end as unit,
        case when not $2 then j.dag_id end as dag_id,
        j.name as queue,
        coalesce(j.state::text, '') as state,
        j.is_finished is true as is_finished,
        count(*) as jobs,
        min(j.completed_on) as oldest,
        max(j.completed_on) as newest,
        bool_or(
            j.is_finished is not true
            and (
                j.state = 'created'
                and exists (
                    select
                    from marie_scheduler.job_dependencies as d
                    join marie_scheduler.job as p on p.name = d.depends_on_name and p.id = d.depends_on_id
                    where d.job_name = j.name
                        and d.job_id = j.id
                        and p.dag_id = j.dag_id
                        and p.state in ('created', 'retry', 'active', 'failed', 'expired', 'cancelled')
                )
            ) is not true
        ) as can_run,
        bool_or(exists (select from archived as a where a.id = j.id and a.name = j.name)) as is_archived,
        bool_or(r.id is not null or s.id is not null) as is_referred_to
    from job_of_candidate as j
    left join referred_jobs as r on r.id = j.id
    left join referred_dags as s on s.id = j.dag_id
    group by 1, 2, 3, 4, 5
),
judged as (
    select
        *,
        bool_or(not is_finished) over unit as is_unfinished,
        bool_or(can_run) over unit as one_can_run,
        bool_or(state in ('failed', 'expired', 'cancelled')) over unit as has_failed,
        bool_or(is_finished and oldest < $1::text::timestamptz) over unit as is_due,
        max(newest) over unit as ended,
        bool_or(is_archived) over unit as was_archived,
        bool_or(is_referred_to) over unit as was_referred_to,
        row_number() over unit = 1 as is_first
    from part
    window unit as (partition by unit)
)
select
    j.unit,
    j.dag_id is not null as is_dag,
    j.queue,
    j.state,
    j.jobs,
    j.is_first,
    to_char(j.oldest at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as oldest,
    to_char(j.newest at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as newest,
    case
        when d.id is not null and d.state in ('completed', 'failed', 'cancelled', 'expired') is not true
            then 'the DAG is not finished'
        when j.one_can_run or d.id is null and j.is_unfinished then 'a job of the DAG can still run'
        when j.ended >= $1::text::timestamptz then 'a job of the DAG ended later'
        when j.was_archived then 'in the archive already'
        when j.was_referred_to then 'rows of other tables refer to it'
    end as kept
from judged as j
left join marie_scheduler.dag as d on d.id = j.dag_id
where j.is_due
    and case
        when $2 then j.is_finished and $3 in ('any', j.state)
        when $3 = 'completed' then not j.has_failed
        when $3 = 'failed' then j.has_failed
        else true
    end
order by j.unit
