-- Deletes those of the DAGs $1, which are held, that have no job any more. `nothing_is_lost` stands for the condition that
-- the history has a place for what is in them. Returns those that are gone. Indexes: the primary key, and one of job that leads with dag_id.
delete from marie_scheduler.dag as d
where d.id = any ($1)
    and not exists (select from marie_scheduler.job as j where j.dag_id = d.id)
    and nothing_is_lost
returning d.id
