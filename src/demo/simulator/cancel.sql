-- An operator cancels what a failed DAG has left behind, some minutes later: this bounds the
-- unfinished jobs. Leftovers of DAGs that failed long ago are left alone, as they are in the field.

update job
set state = 'cancelled', completed_on = now()
from dag
where dag.id = job.dag_id
    and dag.state = 'failed'
    and dag.completed_on between now() - interval '1 hour' and now() - interval '10 minutes'
    and job.state in ('created', 'retry')
