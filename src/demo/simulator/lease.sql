-- Reserves up to $1 jobs that could start now, deepest level first, as Marie orders them.

with candidate as (
    select job.id
    from job
    join dag on dag.id = job.dag_id
    where job.state in ('created', 'retry')
        and job.start_after <= now()
        and dag.state in ('created', 'active')
        and (job.lease_expires_at is null or job.lease_expires_at < now())
        and not exists (
            select from job_dependencies as dependency
            join job as parent on parent.id = dependency.depends_on_id
            where dependency.job_id = job.id and parent.state not in ('completed', 'skipped')
        )
    order by job.job_level desc, job.priority desc, job.created_on
    limit $1
)

update job
set lease_owner = 'gateway-1',
    lease_expires_at = now() + interval '5 seconds',
    lease_epoch = lease_epoch + 1
from candidate
where job.id = candidate.id
