-- Cancels, as an operator does some minutes later, the unfinished jobs of failed DAGs, which limits their number. Those
-- of DAGs that failed long ago stay, as in production.

update job
set state = 'cancelled', completed_on = now()
from dag
where dag.id = job.dag_id
    and dag.state = 'failed'
    and dag.completed_on between now() - interval '1 hour' and now() - interval '10 minutes'
    and job.state in ('created', 'retry')
