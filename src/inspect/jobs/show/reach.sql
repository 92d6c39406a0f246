-- Where in job_history the rows of a time are, which no index tells in most shapes: two binary searches over the primary
-- key, some sixty single rows in all. $2 since when, $3 until when, as text; NULL for all of that side.
bounds (bound, instant) as (
    values
        ('first', coalesce($2::text::timestamptz, '-infinity')),
        ('last', coalesce($3::text::timestamptz, 'infinity'))
),
-- Rows below low are earlier than the instant; the first one from high on is not.
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
