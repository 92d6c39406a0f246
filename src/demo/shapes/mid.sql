-- The column of the shape mid that old lacks, besides those of slots.sql: which branch was chosen.

alter table job add column branch_metadata jsonb;

alter table job_history add column branch_metadata jsonb;
