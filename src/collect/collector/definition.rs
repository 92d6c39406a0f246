//! Definitions: rules that several queries apply, each written once in SQL.

use crate::schema::Need;

/// A common table expression in front of each query that lists it.
#[derive(Debug)]
pub struct Definition {
    /// `name as not materialized (select …)`; it may read the query's fallbacks.
    pub sql: &'static str,
    pub needs: &'static [Need],
}

/// Waiting jobs with the reason why a worker may not take them, NULL if it may.
///
/// The query itself declares the tables `dag` and `job_dependencies` or their fallbacks, and the columns `dag_id` and
/// `start_after` of `job` as needs or optional columns.
pub const WAITING_JOB: Definition = Definition {
    sql: include_str!("waiting_job.sql"),
    needs: &[Need::Columns("job", &["id", "name", "state", "created_on", "completed_on"])],
};
