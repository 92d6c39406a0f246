//! Rules that several queries apply, each written once in SQL.

use crate::schema::Need;

/// A common table expression that stands in front of each query that names it. A rule that several queries apply is
/// written once.
#[derive(Debug)]
pub struct Definition {
    /// `name as not materialized (select …)`; it may read the query's fallbacks.
    pub sql: &'static str,
    pub needs: &'static [Need],
}

/// Waiting jobs with their reason, for every query that asks which of them a worker may take.
///
/// The query declares the tables `dag` and `job_dependencies` or their fallbacks, and the columns `dag_id` and
/// `start_after` of `job` as needed or optional.
pub const WAITING_JOB: Definition = Definition {
    sql: include_str!("waiting_job.sql"),
    needs: &[Need::Columns("job", &["id", "name", "state", "created_on", "completed_on"])],
};
