-- Numbers of stalled DAGs, by reason, as backlog.sql counts them. $1 the reasons, $2 their numbers. Reads no table.
select reason, stalled::float8 as marie_dags_stalled
from unnest($1::text[], $2::int8[]) as counted (reason, stalled)
