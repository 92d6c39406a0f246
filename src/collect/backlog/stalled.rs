//! Finds the stalled DAGs where groups of queues are read.
//!
//! The jobs of a DAG can be in several queues, so what each group says of a DAG is put together here. Each group is of
//! its own instant.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use super::reads::Reads;
use crate::postgres::Failure;

/// The most unfinished DAGs that are kept in memory, 16 bytes each. If there are more, stalled DAGs are not published.
const MOST_DAGS: i64 = 200_000;

/// The unfinished DAGs that nothing is known to move.
#[derive(Debug)]
pub(super) struct StalledDags {
    dags: BTreeSet<Uuid>,
    /// Those of them that have jobs, with whether one failed.
    has_failed: BTreeMap<Uuid, bool>,
}

impl StalledDags {
    /// Reads the unfinished DAGs. Returns `None` if there are too many.
    pub(super) async fn begin(reads: &mut Reads<'_, '_>) -> Result<Option<Self>, Failure> {
        let statement = reads.context.schema.name.statement(include_str!("unfinished_dags.sql"));
        let rows = reads.run.fetch_all(sqlx::query(statement).bind(MOST_DAGS + 1)).await?;
        let dags: BTreeSet<Uuid> =
            rows.iter().map(|row| row.try_get("id")).collect::<Result<_, sqlx::Error>>()?;
        let is_complete = i64::try_from(rows.len()).is_ok_and(|count| count <= MOST_DAGS);
        Ok(is_complete.then(|| StalledDags { dags, has_failed: BTreeMap::new() }))
    }

    /// Removes DAGs that a job moves.
    pub(super) fn remove(&mut self, moving: &[Uuid]) {
        for dag in moving {
            self.dags.remove(dag);
        }
    }

    /// Reads which of the DAGs have jobs in a group of queues.
    pub(super) async fn read_jobs(&mut self, reads: &mut Reads<'_, '_>) -> Result<(), Failure> {
        let dags: Vec<Uuid> = self.dags.iter().copied().collect();
        for (dag, has_failed) in reads.dags_with_jobs(&dags).await? {
            *self.has_failed.entry(dag).or_default() |= has_failed;
        }
        Ok(())
    }

    /// Returns the numbers by reason as rows.
    pub(super) async fn rows(&self, reads: &mut Reads<'_, '_>) -> Result<Vec<PgRow>, Failure> {
        let count = |verdict: Option<bool>| {
            let dags = self.dags.iter().filter(|dag| self.has_failed.get(dag).copied() == verdict);
            i64::try_from(dags.count()).unwrap_or(i64::MAX)
        };
        let counts = [count(None), count(Some(true)), count(Some(false))];
        let statement = sqlx::query(include_str!("stalled_counts.sql"))
            .bind(["no_jobs", "failed_job", "no_runnable_job"])
            .bind(counts);
        reads.run.fetch_all(statement).await
    }
}
