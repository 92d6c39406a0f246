-- Jobs that the maintenance page's clean-up would remove now, each under one rule.
-- Index: on (state, completed_on), then only jobs that are due are read. Without it every job is read; cost
-- follows the history either way.
select
    rule,
    count(due.rule)::float8 as marie_jobs_cleanup_due
from unnest(array['completed_7d', 'failed_30d']) as rules (rule)
left join (
    select case state when 'completed' then 'completed_7d' else 'failed_30d' end as rule
    from marie_scheduler.job
    where (state = 'completed' and completed_on < now() - interval '7 days')
        or (state = 'failed' and completed_on < now() - interval '30 days')
) as due using (rule)
group by rule
