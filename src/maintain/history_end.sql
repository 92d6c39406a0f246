-- Returns the number of the first row of a history that was written at or after the instant $1, or the number after the last
-- row. `history_table` stands for the table. Binary search over the primary key: some thirty probes for any length.
-- Rows get their numbers before they are committed, so a few rows on either side do not fit.
with recursive search (low, high) as (
    select min(history_id), max(history_id) + 1 from marie_scheduler.history_table
    union all
    select
        case when p.history_created_on < $1::text::timestamptz then p.history_id + 1 else s.low end,
        case when p.history_created_on < $1::text::timestamptz then s.high else s.low + (s.high - s.low) / 2 end
    from search as s
    cross join lateral (
        select history_id, history_created_on
        from marie_scheduler.history_table
        where history_id >= s.low + (s.high - s.low) / 2
        order by history_id
        limit 1
    ) as p
    where s.low < s.high
)
select max(low) as history_end from search
