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
        retry_count,
        soft_sla,
        hard_sla,
        completed_on,
        -- A client's date beyond all sense is no date.
        case when created_on > '1970-01-01' and created_on < '3000-01-01' then created_on end as created_on,
        case when start_after > '1970-01-01' and start_after < '3000-01-01' then start_after end as start_after,
        case when started_on > '1970-01-01' and started_on < '3000-01-01' then started_on end as started_on
    from job_history
    where history_id > $1 and history_id <= $2
        and age(xmin) <= age($3::xid8::xid)
        and age(xmin) > age($4::xid8::xid)
        and case
            when state = 'created' then created_on = history_created_on
            else state not in ('retry', 'active') and completed_on = history_created_on
        end
    order by id, history_created_on, state = 'created', history_id desc
),
observations as (
    select
        queue,
        state,
        measure,
        greatest(value, 0)::int8 as value,
        (value < 0)::int as clamped
    from news
    cross join lateral (values
        ('created', case when state = 'created' then 0 end),
        ('finished', case when state <> 'created' then 0 end),
        ('retries', case when state <> 'created' then retry_count end),
        ('soft_sla', case when state <> 'created' and soft_sla > created_on then (completed_on > soft_sla)::int end),
        ('hard_sla', case when state <> 'created' and hard_sla > created_on then (completed_on > hard_sla)::int end),
        (
            'wait',
            case when state <> 'created' then
                round(extract(epoch from started_on - greatest(created_on, start_after)) * 1000000)
            end
        ),
        (
            'run',
            case when state <> 'created' then round(extract(epoch from completed_on - started_on) * 1000000) end
        ),
        (
            'turnaround',
            case when state <> 'created' and started_on is not null then
                round(extract(epoch from completed_on - created_on) * 1000000)
            end
        )
    ) as observed (measure, value)
    where value is not null
),
counted as (
    select
        queue,
        state,
        measure,
        coalesce(cardinality(bounds) - width_bucket(-value, bounds), 0) as bucket,
        count(*) as observations,
        sum(value) as total,
        sum(clamped) as clamped
    from observations
    left join (values
        ('wait', $5::int8[]),
        ('run', $6::int8[]),
        ('turnaround', $6::int8[]),
        ('retries', $7::int8[])
    ) as histograms (measure, bounds) using (measure)
    group by 1, 2, 3, 4
)
select
    queue as owner,
    state,
    measure,
    array_agg(bucket::int8) as buckets,
    array_agg(observations) as observations,
    least(sum(total), 9e18)::int8 as total,
    sum(clamped)::int8 as clamped
from counted
group by queue, state, measure
