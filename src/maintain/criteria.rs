//! Criteria by which a clean-up selects units, and the SQL that applies them.
//!
//! The SQL is `judge.sql` behind common table expressions: the jobs to judge, fallbacks for tables that the schema lacks,
//! the archived jobs, and the ids to which other tables refer.

use super::args::JobOutcome;
use super::foreign_keys::ForeignKeys;
use crate::collect::collector::Fallback;
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::schema::Schema;

/// Candidates of a plan: every job.
const ALL_JOBS: &str = "candidate as not materialized \
     (select id, name, dag_id, state, completed_on from marie_scheduler.job)";

const ARCHIVED: &str = "archived as not materialized (select id, name from marie_scheduler.archive)";

const NOTHING_ARCHIVED: &str = "archived as (select null::uuid as id, null::text as name where false)";

/// Which units a clean-up takes.
#[derive(Debug, Clone)]
pub(super) struct Criteria {
    /// Instant before which a unit must have ended. Read once, from the database's clock.
    pub(super) cutoff: String,
    /// Whether each job is a unit, also a job of a DAG.
    pub(super) per_job: bool,
    /// How a unit must have ended; `None` for any end.
    pub(super) outcome: Option<JobOutcome>,
    /// Whether a unit is kept if one of its jobs is already in the archive.
    pub(super) keeps_archived: bool,
    /// Foreign keys whose rows keep the unit to which they refer.
    pub(super) keeping_keys: ForeignKeys,
}

impl Criteria {
    /// Returns the value of the parameter `$3` of `judge.sql`.
    pub(super) fn outcome_label(&self) -> &'static str {
        match self.outcome {
            None => "any",
            Some(JobOutcome::Completed) => "completed",
            Some(JobOutcome::Failed) => "failed",
        }
    }

    /// Returns the statement that judges all jobs, or only those of a batch.
    pub(super) fn statement(&self, schema: &Schema, is_batch: bool) -> String {
        let mut tables = vec![if is_batch { include_str!("batch_candidates.sql") } else { ALL_JOBS }];
        let fallbacks: Vec<&Fallback> = [&NO_DAGS, &DEPENDENCIES_FROM_JSON]
            .into_iter()
            .filter(|fallback| fallback.is_used(schema))
            .collect();
        tables.extend(fallbacks.iter().map(|fallback| fallback.sql));
        let replaced: Vec<_> = fallbacks.iter().map(|fallback| (fallback.table, fallback.table)).collect();
        tables.push(if self.keeps_archived { ARCHIVED } else { NOTHING_ARCHIVED });
        let [jobs, dags] = self.keeping_keys.referenced_ids(is_batch);
        tables.extend([jobs.as_str(), dags.as_str()]);
        format!(
            "with {}\nselect judged.* from (\n{}\n) as judged",
            schema.name.qualify(&tables.join(",\n")),
            schema.name.qualify_except(include_str!("judge.sql"), &replaced)
        )
    }
}
