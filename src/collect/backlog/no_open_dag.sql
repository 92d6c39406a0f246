-- No DAG, for scopes that do not have all jobs of a DAG.
open_dag as materialized (
    select null::uuid as id where false
)
