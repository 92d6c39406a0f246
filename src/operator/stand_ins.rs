//! What stands in for columns that a listing shows where they exist.

use crate::collector::StandIn;
use crate::schema::Need;

pub(super) const RETRYING_NOT_DEFERRED: StandIn = StandIn {
    table: "job",
    instead_of: &[Need::Columns("job", &["start_after"])],
    sql: include_str!("stand_ins/retrying_job.sql"),
    needs: &[],
};

pub(super) const WAITING_NOT_DEFERRED: StandIn = StandIn {
    table: "job",
    instead_of: &[Need::Columns("job", &["start_after"])],
    sql: include_str!("stand_ins/waiting_job.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};

pub(super) const NO_RUN_OWNER: StandIn = StandIn {
    table: "job",
    instead_of: &[Need::Columns("job", &["run_owner"])],
    sql: include_str!("stand_ins/active_job.sql"),
    needs: &[],
};

/// Where the job's own list, which the query reads as well, is all there is.
pub(super) const NO_DEPENDENCIES: StandIn = StandIn {
    table: "job_dependencies",
    instead_of: &[Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_id"])],
    sql: include_str!("stand_ins/no_job_dependencies.sql"),
    needs: &[],
};

pub(super) const DEPENDENCIES_OF_ALL: StandIn = StandIn {
    table: "job_dependencies",
    instead_of: &[Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_id"])],
    sql: include_str!("stand_ins/job_dependencies_of_all.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};

pub(super) const HISTORY_WITHOUT_ATTEMPTS: StandIn = StandIn {
    table: "job_history",
    instead_of: &[Need::Columns("job_history", &["run_attempt_id"])],
    sql: include_str!("stand_ins/history_without_attempts.sql"),
    needs: &[],
};

pub(super) const NO_OUTPUT: StandIn = StandIn {
    table: "job",
    instead_of: &[Need::Columns("job", &["output"])],
    sql: include_str!("stand_ins/job_without_output.sql"),
    needs: &[],
};

pub(super) const NO_LEVEL_AND_NOT_DEFERRED: StandIn = StandIn {
    table: "job",
    instead_of: &[Need::Columns("job", &["job_level", "start_after"])],
    sql: include_str!("stand_ins/dags_job.sql"),
    needs: &[],
};

pub(super) const READY_NOT_DEFERRED: StandIn = StandIn {
    table: "job",
    instead_of: &[Need::Columns("job", &["start_after"])],
    sql: include_str!("stand_ins/ready_job.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};

/// The jobs whose payload fits a filter.
pub(super) const MATCHING: StandIn =
    StandIn { table: "job", instead_of: &[], sql: include_str!("jobs/matching.sql"), needs: &[] };
