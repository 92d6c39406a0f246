-- Deletes those of the DAGs $1 that have no job, and returns their ids. The caller has locked them. `nothing_is_lost` stands
-- for the condition that the history has a place for all their values.
-- Indexes: the primary key, and one of job that begins with dag_id.
delete from marie_scheduler.dag as d
where d.id = any ($1)
    and not exists (select from marie_scheduler.job as j where j.dag_id = d.id)
    and nothing_is_lost
returning d.id
