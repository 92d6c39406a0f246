-- The jobs that a clean-up would take or could have taken, by unit, queue and state; `kept` says why it leaves the unit
-- where it is. A unit is a DAG with all its jobs, or a single job: where it has no DAG, or where single jobs are asked
-- for.
-- $1 the cut-off, as text; $2 whether each job is a unit; $3 how the unit ended: any, completed (all its jobs
-- completed or skipped), failed (a job failed, expired or was cancelled); a single job just completed or failed.
-- Reads every job once, whatever the indexes; of a batch, only the jobs of its units (batch_jobs.sql).
with part as (
    select
        case when $2 then j.id else coalesce(j.dag_id, j.id) end as unit,
        case when not $2 then j.dag_id end as dag_id,
        j.name as queue,
        j.state::text as state,
        count(*) as jobs,
        min(j.completed_on) as oldest,
        max(j.completed_on) as newest,
        bool_or(a.id is not null) as is_archived,
        bool_or(r.id is not null or s.id is not null) as is_referred_to
    from job as j
    left join archived as a on a.id = j.id and a.name = j.name
    left join referred_jobs as r on r.id = j.id
    left join referred_dags as s on s.id = j.dag_id
    group by 1, 2, 3, 4
),
judged as (
    select
        *,
        bool_or(state in ('created', 'retry', 'active')) over unit as is_unfinished,
        bool_or(state in ('failed', 'expired', 'cancelled')) over unit as has_failed,
        bool_or(state not in ('created', 'retry', 'active') and oldest < $1::text::timestamptz) over unit as is_due,
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
        when j.is_unfinished then 'the DAG is finished, and not all of its jobs are; cancel those'
        when j.ended >= $1::text::timestamptz then 'a job of the DAG ended later'
        when j.was_archived then 'in the archive already'
        when j.was_referred_to then 'rows of other tables refer to it'
    end as kept
from judged as j
left join dag as d on d.id = j.dag_id
where j.is_due
    and case
        when $3 = 'any' then not $2 or not j.is_unfinished
        when $2 then j.state = $3
        else j.has_failed = ($3 = 'failed')
    end
order by j.unit
