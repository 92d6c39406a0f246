-- Returns the events among new rows of job_history: one row for each queue and state that has events, with arrays of
-- one element for each event. A further row without a queue holds the other rows from which follows whether a job is
-- finished: rows of unfinished jobs (recorded is NULL) and finishes that other transactions wrote.
-- An event is a creation (state created, created_on = history_created_on) or a finish (a finished state,
-- completed_on = history_created_on). Both times are the transaction's now(). All other rows are refreshes.
-- $1, $2: history_id above $1 and up to $2.
-- $3, $4: transaction ids; events are rows written by transactions from $3 on and below $4. They are compared by age,
-- because xmin has 32 bits.
-- $5: pattern of text that can be sent to the exporter; NULL if all text can.
-- Times are whole microseconds. transactions is equal for rows that one transaction wrote.
-- Index: the primary key. Without it the whole history is read at each run.
select
    queue,
    state,
    array_agg(id) as ids,
    array_agg(history_id) as history_ids,
    array_agg(recorded) as recorded,
    coalesce(array_agg(written) filter (where queue is not null), '{}') as transactions,
    coalesce(array_agg(retries) filter (where queue is not null), '{}') as retries,
    coalesce(array_agg(wait) filter (where queue is not null), '{}') as waits,
    coalesce(array_agg(run) filter (where queue is not null), '{}') as runs,
    coalesce(array_agg(turnaround) filter (where queue is not null), '{}') as turnarounds,
    coalesce(array_agg(missed_soft) filter (where queue is not null), '{}') as missed_soft,
    coalesce(array_agg(missed_hard) filter (where queue is not null), '{}') as missed_hard
from (
    select
        id,
        history_id,
        written,
        -- Clients choose names. All names that are too long for a label or cannot be sent become the same text.
        case
            when is_event and octet_length(name) <= 400 and (name collate "C" ~ $5::text) is not false then name::text
            when is_event then repeat('?', 201)
        end as queue,
        case
            when is_event
                and octet_length(state::text) <= 400 and (state::text collate "C" ~ $5::text) is not false then state::text
            when is_event then repeat('?', 201)
        end as state,
        case when is_event or is_finish then round(date_part('epoch', history_created_on) * 1000000)::int8 end
            as recorded,
        retry_count::int8 as retries,
        -- The start of a retry's wait is not recorded: the scheduler starts a retry regardless of start_after.
        case when is_event and retry_count = 0 then
            round(date_part('epoch', started_on - greatest(created_on, start_after)) * 1000000)::int8
        end as wait,
        case when is_event and is_finish then round(date_part('epoch', completed_on - started_on) * 1000000)::int8 end
            as run,
        case when is_event and is_finish and started_on is not null then
            round(date_part('epoch', completed_on - created_on) * 1000000)::int8
        end as turnaround,
        case when is_event and soft_sla > created_on + interval '1 minute' then completed_on > soft_sla end
            as missed_soft,
        case when is_event and hard_sla > created_on + interval '1 minute' then completed_on > hard_sla end
            as missed_hard
    from (
        select
            id,
            history_id,
            history_created_on,
            age(history_row.xmin) as written,
            name,
            state,
            retry_count,
            completed_on,
            soft_sla,
            hard_sla,
            -- Invalid dates are ignored.
            case when created_on > '1970-01-01' and created_on < '3000-01-01' then created_on end as created_on,
            case when start_after > '1970-01-01' and start_after < '3000-01-01' then start_after end as start_after,
            case when started_on > '1970-01-01' and started_on < '3000-01-01' then started_on end as started_on,
            is_finish,
            (is_finish or is_creation)
            and name is not null
            and age(history_row.xmin) <= age($3::xid8::xid)
            and age(history_row.xmin) > age($4::xid8::xid) as is_event
        from marie_scheduler.job_history as history_row
        cross join lateral (
            select
                history_created_on > '1970-01-01'
                and history_created_on < '3000-01-01'
                and state not in ('created', 'retry', 'active')
                and completed_on = history_created_on as is_finish,
                history_created_on > '1970-01-01'
                and history_created_on < '3000-01-01'
                and state = 'created'
                and created_on = history_created_on as is_creation
        ) as kind
        where history_id > $1 and history_id <= $2
    ) as history
    where is_finish or state in ('created', 'retry', 'active')
) as measured
group by queue, state
