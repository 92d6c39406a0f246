-- The finishes of DAGs among new rows of dag_history, summed up by planner and state. A finish is a row with a
-- finished state and completed_on = history_created_on; the image that a deletion leaves behind is none.
-- $1, $2 history_id, $3, $4 transaction ids, $5 bounds in microseconds: as in job_events.sql.
-- Index: the primary key. Without it the whole history is read at each poll.
with news as (
    select distinct on (id, history_created_on)
        coalesce(planner, 'unknown')::text as planner,
        state::text as state,
        round(date_part('epoch', completed_on - created_on) * 1000000)::int8 as run
    from marie_scheduler.dag_history
    where history_id > $1 and history_id <= $2
        and age(xmin) <= age($3::xid8::xid)
        and age(xmin) > age($4::xid8::xid)
        and state in ('completed', 'failed', 'cancelled', 'expired')
        and completed_on = history_created_on
        -- A client's date beyond all sense is no date.
        and created_on > '1970-01-01' and created_on < '3000-01-01'
    order by id, history_created_on, history_id desc
),
counted as (
    select
        planner,
        state,
        cardinality($5::int8[]) - width_bucket(-run, $5::int8[]) as bucket,
        count(*) as observations,
        sum(greatest(run, 0)) as total,
        sum((run < 0)::int) as clamped
    from news
    group by 1, 2, 3
)
select
    planner as owner,
    state,
    'dag_run'::text as measure,
    array_agg(bucket::int8) as buckets,
    array_agg(observations) as observations,
    least(sum(total), 9e18)::int8 as total,
    sum(clamped)::int8 as clamped
from counted
group by planner, state
