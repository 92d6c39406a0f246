-- The events among new rows of job_history, as observations summed up by queue, state and measure: a few rows
-- for each, however many events. An event is a creation (state created, created_on = history_created_on) or a
-- finish (a finished state, completed_on = history_created_on: both are that transaction's now()); all other
-- rows are refreshes. A job that its transaction wrote several times is one event, told by the last row.
-- $1, $2 history_id: above the first, up to the second. $3, $4 transaction ids: rows written from the first on
-- and before the second, compared by age because xmin has 32 bits.
-- $5 bounds of wait, $6 of run and turnaround, in microseconds, $7 of retries; negated, ascending, so that
-- width_bucket puts a value equal to a bound below it.
-- Index: the primary key. Without it the whole history is read at each poll.
with news as (
    select distinct on (id, history_created_on, state = 'created')
        name::text as queue,
        state::text as state,
        state <> 'created' as is_finish,
        retry_count::int8 as retry_count,
        soft_sla,
        hard_sla,
        completed_on,
        -- A client's date beyond all sense is no date.
        case when created_on > '1970-01-01' and created_on < '3000-01-01' then created_on end as created_on,
        case when start_after > '1970-01-01' and start_after < '3000-01-01' then start_after end as start_after,
        case when started_on > '1970-01-01' and started_on < '3000-01-01' then started_on end as started_on
    from marie_scheduler.job_history
    where history_id > $1 and history_id <= $2
        and age(xmin) <= age($3::xid8::xid)
        and age(xmin) > age($4::xid8::xid)
        and name is not null
        and case
            when state = 'created' then created_on = history_created_on
            else state not in ('retry', 'active') and completed_on = history_created_on
        end
    order by id, history_created_on, state = 'created', history_id desc
),
measured as (
    select
        queue,
        state,
        case when is_finish then retry_count end as retries,
        case when is_finish then round(date_part('epoch', started_on - greatest(created_on, start_after)) * 1000000)::int8 end
            as wait,
        case when is_finish then round(date_part('epoch', completed_on - started_on) * 1000000)::int8 end as run,
        case when is_finish and started_on is not null then
            round(date_part('epoch', completed_on - created_on) * 1000000)::int8
        end as turnaround,
        case when is_finish and soft_sla > created_on then completed_on > soft_sla end as missed_soft,
        case when is_finish and hard_sla > created_on then completed_on > hard_sla end as missed_hard
    from news
),
placed as (
    select
        queue, state, retries, wait, run, turnaround, missed_soft, missed_hard,
        cardinality($5::int8[]) - width_bucket(-wait, $5::int8[]) as wait_bucket,
        cardinality($6::int8[]) - width_bucket(-run, $6::int8[]) as run_bucket,
        cardinality($6::int8[]) - width_bucket(-turnaround, $6::int8[]) as turnaround_bucket,
        cardinality($7::int8[]) - width_bucket(-retries, $7::int8[]) as retries_bucket
    from measured
),
-- Hashed, whatever the number of events: a row for each bucket that holds any.
counted as (
    select
        queue,
        state,
        grouping(wait_bucket, run_bucket, turnaround_bucket, retries_bucket) as set,
        coalesce(wait_bucket, run_bucket, turnaround_bucket, retries_bucket) as bucket,
        count(*) as events,
        sum(greatest(wait, 0)) as wait,
        sum(greatest(run, 0)) as run,
        sum(greatest(turnaround, 0)) as turnaround,
        sum(retries) as retries,
        count(*) filter (where wait < 0) as clamped_wait,
        count(*) filter (where run < 0) as clamped_run,
        count(*) filter (where turnaround < 0) as clamped_turnaround,
        count(missed_soft) as soft,
        count(*) filter (where missed_soft) as missed_soft,
        count(missed_hard) as hard,
        count(*) filter (where missed_hard) as missed_hard
    from placed
    group by grouping sets (
        (queue, state),
        (queue, state, wait_bucket),
        (queue, state, run_bucket),
        (queue, state, turnaround_bucket),
        (queue, state, retries_bucket)
    )
),
-- Bits of the columns that are not in the grouping set: 15 has none of the buckets, 7 the first.
observed as (
    select
        queue,
        state,
        case set
            when 7 then 'wait'
            when 11 then 'run'
            when 13 then 'turnaround'
            when 14 then 'retries'
            else case when state = 'created' then 'created' else 'finished' end
        end as measure,
        coalesce(bucket, 0) as bucket,
        events,
        case set when 7 then wait when 11 then run when 13 then turnaround when 14 then retries else 0 end as total,
        case set when 7 then clamped_wait when 11 then clamped_run when 13 then clamped_turnaround else 0 end as clamped
    from counted
    where set = 15 or bucket is not null
    union all
    select queue, state, 'soft_sla', 0, soft, missed_soft, 0
    from counted
    where set = 15 and soft > 0
    union all
    select queue, state, 'hard_sla', 0, hard, missed_hard, 0
    from counted
    where set = 15 and hard > 0
)
select
    queue as owner,
    state,
    measure,
    array_agg(bucket::int8) as buckets,
    array_agg(events) as observations,
    least(sum(total), 9e18)::int8 as total,
    sum(clamped)::int8 as clamped
from observed
group by queue, state, measure
