-- Finds the first and the last row of job_history of a period by two binary searches over the primary key, because most
-- shapes have no index on its time. They read about sixty single rows.
-- $2 begin and $3 end of the period as text, NULL for no bound.
bounds (bound, instant) as (
    values
        ('first', coalesce($2::text::timestamptz, '-infinity')),
        ('last', coalesce($3::text::timestamptz, 'infinity'))
),
-- Rows before low are earlier than the instant. The first row from high on is not.
search (bound, instant, low, high) as (
    select
        bound,
        instant,
        (select history_id from marie_scheduler.job_history order by history_id limit 1),
        (select history_id from marie_scheduler.job_history order by history_id desc limit 1) + 1
    from bounds
    union all
    select
        bound,
        instant,
        case when probe.history_created_on < instant then probe.history_id + 1 else low end,
        case when probe.history_created_on < instant then high else middle end
    from search
    cross join lateral (select low + (high - low) / 2) as halves (middle)
    cross join lateral (
        select history_id, history_created_on
        from marie_scheduler.job_history
        where history_id >= middle
        order by history_id
        limit 1
    ) as probe
    where low < high
),
reach (low, high) as (
    select max(low) filter (where bound = 'first'), max(low) filter (where bound = 'last') - 1
    from search
)
