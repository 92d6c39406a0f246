-- The function that pg_cron calls every minute in the shapes old and mid. It rewrites every row that is not completed,
-- failed ones for ever. Each rewrite adds a row to job_history; these are most of its rows.

-- 1000 and more: past the hard SLA. 500 to 999: past the soft SLA. 1 to 499: higher when the SLA is closer.
create function refresh_job_priority() returns void
language sql
set search_path from current
as $$
    update job
    set priority = case
        when now() > hard_sla
            then 1000 + least(extract(epoch from now() - hard_sla) / 60, 1000000)::int
        when now() > soft_sla
            then 500 + least(extract(epoch from now() - soft_sla) / 60, 499)::int
        when coalesce(soft_sla, hard_sla) is not null
            then greatest(
                1, 499 - least(extract(epoch from coalesce(soft_sla, hard_sla) - now()) / 60, 498)::int
            )
        else 0
    end
    where state <> 'completed'
$$;

create function refresh_job_durations() returns void
language sql
set search_path from current
as $$
    update job set duration = now() - started_on where state = 'active'
$$;

create function refresh_dag_durations() returns void
language sql
set search_path from current
as $$
    update dag set duration = now() - started_on
    where started_on is not null and completed_on is null
$$;
