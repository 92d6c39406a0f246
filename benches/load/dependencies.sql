-- Inserts dependencies for the DAGs number $1 to $2: each job depends on the previous job.
insert into job_dependencies (job_name, job_id, depends_on_name, depends_on_id)
select queue, md5('job' || dag || '.' || k)::uuid, queue, md5('job' || dag || '.' || k - 1)::uuid
from generate_series($1::bigint, $2::bigint) as dag
cross join generate_series(2, 10) as k
cross join lateral (
    select (array['extract', 'classify', 'transform', 'load', 'gen5_extract'])[1 + dag % 5] as queue
) as q
