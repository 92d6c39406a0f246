-- Columns of the history that only the shape new has. Run after jobs.sql.

alter table job_history
    add column branch_metadata jsonb,
    add column run_attempt_id uuid;

create index on job_history (history_created_on desc, history_id desc);
