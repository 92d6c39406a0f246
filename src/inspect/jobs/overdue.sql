-- Returns the unfinished jobs past their hard or soft SLA, those that marie_jobs_sla_overdue counts, longest first.
-- $1 limit, $2 offset, $3 queue, NULL for all, $4 hard or soft.
-- Index: one that leads with state. Without it every job is read.
select
    id,
    name as queue,
    state,
    dag_id,
    created_on,
    deadline as sla,
    case
        when deadline between '1970-01-01' and '3000-01-01' then extract(epoch from now() - deadline)
    end as overdue_for
from (
    select
        id, name, state, dag_id, created_on,
        case $4::text when 'hard' then hard_sla else soft_sla end as deadline
    from marie_scheduler.job
    where state in ('created', 'retry', 'active')
        and ($3::text is null or name = $3)
) as promised
-- An SLA within a minute of the creation is ignored, because the gateway's clock may be ahead.
where case when created_on < '3000-01-01' then deadline > created_on + interval '1 minute' end
    and deadline < now()
order by sla, id
limit $1 offset $2
