-- Completes control-flow nodes of some DAGs with branches again, as Marie does if it does not run distributed: two to
-- four times in all, within six seconds. The number follows from the id; `output` counts the completions.

with branched as materialized (
    select job.id, 1 + coalesce((job.output ->> 'repeated')::int, 0) as times
    from job
    where job.state = 'completed'
        and job.completed_on > now() - interval '6 seconds'
        and job.started_on is null
        and job.data -> 'metadata' ->> 'on' = 'noop'
        -- One DAG in five chooses among branches: more than one node follows its first node.
        and abs(hashtext(job.dag_id::text)::int8) % 5 = 0
        and 1 < (
            select count(*)
            from job as node
            where node.dag_id = job.dag_id and jsonb_array_length(node.dependencies) = 1
                and node.dependencies -> 0 in (
                    select to_jsonb(first_node.id)
                    from job as first_node
                    where first_node.dag_id = job.dag_id and jsonb_array_length(first_node.dependencies) = 0
                )
        )
)

update job
set completed_on = now(), output = jsonb_build_object('repeated', branched.times)
from branched
where job.id = branched.id
    and branched.times < 2 + abs(hashtext(job.id::text)::int8) % 3
