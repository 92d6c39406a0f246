//! What stands in for columns that a listing shows where they exist.

use crate::collector::StandIn;
use crate::schema::Need;

pub(super) const RETRYING_NOT_DEFERRED: StandIn = StandIn {
    instead_of: &[Need::Columns("job", &["start_after"])],
    sql: include_str!("stand_ins/retrying_job.sql"),
    needs: &[],
};

pub(super) const WAITING_NOT_DEFERRED: StandIn = StandIn {
    instead_of: &[Need::Columns("job", &["start_after"])],
    sql: include_str!("stand_ins/waiting_job.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};

pub(super) const NO_RUN_OWNER: StandIn = StandIn {
    instead_of: &[Need::Columns("job", &["run_owner"])],
    sql: include_str!("stand_ins/active_job.sql"),
    needs: &[],
};
