//! What stands in for tables that a listing reads where they exist.

use crate::collect::collector::Fallback;
use crate::schema::Need;

/// Where the job's own list, which the query reads as well, is all there is.
pub(super) const NO_DEPENDENCIES: Fallback = Fallback {
    table: "job_dependencies",
    instead_of: &[Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_id"])],
    sql: include_str!("fallbacks/no_job_dependencies.sql"),
    needs: &[],
};

pub(super) const DEPENDENCIES_OF_ALL: Fallback = Fallback {
    table: "job_dependencies",
    instead_of: &[Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_id"])],
    sql: include_str!("fallbacks/job_dependencies_of_all.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};

/// The jobs whose payload fits a filter.
pub(super) const MATCHING: Fallback =
    Fallback { table: "job", instead_of: &[], sql: include_str!("jobs/matching.sql"), needs: &[] };
