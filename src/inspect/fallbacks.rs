//! Fallbacks of the reading commands for the table `job_dependencies`, which some shapes lack.

use crate::collect::collector::Fallback;
use crate::schema::Need;

const INSTEAD_OF: &[Need] = &[Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_id"])];

/// No rows, for queries that read the lists in `job.dependencies` anyway.
pub(super) const NO_DEPENDENCIES: Fallback = Fallback {
    table: "job_dependencies",
    instead_of: INSTEAD_OF,
    sql: include_str!("fallbacks/no_job_dependencies.sql"),
    needs: &[],
};

/// The jobs whose list in `job.dependencies` has the job $1.
pub(super) const DEPENDENCIES_OF_ALL: Fallback = Fallback {
    table: "job_dependencies",
    instead_of: INSTEAD_OF,
    sql: include_str!("fallbacks/job_dependencies_of_all.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};
