-- The planner of a DAG, which the shape old lacks: it came late, and no migration adds it to older databases.

alter table dag add column planner varchar(250);
alter table dag_history add column planner varchar(250);
