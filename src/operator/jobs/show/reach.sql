-- Where in job_history a job's rows are, which no index tells in most shapes: two binary searches over the primary key,
-- some sixty single rows in all, for its creation and its end, where it has one. The history's ids and times are both
-- given out before the commit, so they are in step but for the length of a transaction: ten minutes are allowed for.
bounds (bound, instant) as (
    select
        bound,
        case
            when bound = 'first' and created_on between '1970-01-01' and '3000-01-01'
            then created_on - interval '10 minutes'
            when bound = 'first' then '-infinity'
            when state not in ('created', 'retry', 'active') and completed_on between '1970-01-01' and '3000-01-01'
            then completed_on + interval '10 minutes'
            else 'infinity'
        end
    from (select state, created_on, completed_on from job where id = $1 limit 1) as sought
    cross join (values ('first'), ('last')) as kinds (bound)
),
-- Rows below low are earlier than the instant; the first one from high on is not.
search (bound, instant, low, high) as (
    select
        bound,
        instant,
        (select history_id from job_history order by history_id limit 1),
        (select history_id from job_history order by history_id desc limit 1) + 1
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
        from job_history
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
