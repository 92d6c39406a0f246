-- The last id of a slice of the jobs that are not completed, in the order of ids; no row if the slice has all that remain.
-- $1 the first id, $2 how many jobs the slice has besides the last.
-- Index: on (id) where state <> 'completed'.
select id as last_id
from marie_scheduler.job
where state <> 'completed' and id >= $1::text::uuid
order by id
offset $2
limit 1
