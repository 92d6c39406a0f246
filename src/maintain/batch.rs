//! Removes the units of one batch in one transaction.
//!
//! The transaction locks the jobs and DAGs of the batch, judges them again, and removes those that are still due. It skips
//! a unit that another session has locked or that has changed since the plan. It never waits for a row lock.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use super::criteria::Criteria;
use super::plan::{Plan, Unit, describe};
use super::removal::{JobKey, Removal, has_dags};
use super::session::WriteSession;
use super::tally::Tally;
use crate::postgres::{Failure, Reason};

/// What a batch has removed and skipped.
#[derive(Debug, Default)]
pub(super) struct BatchResult {
    pub(super) units: Vec<Unit>,
    /// Removed jobs.
    pub(super) tally: Tally,
    /// Deleted rows of the table dag.
    pub(super) dag_rows: u64,
    /// Units that are locked by another session or have changed since the plan.
    pub(super) skipped: Vec<Unit>,
}

/// Removes the units of a batch and commits.
///
/// # Errors
/// The batch is rolled back, unless the answer to the commit was lost.
pub(super) async fn remove(
    session: &mut WriteSession,
    removal: &Removal,
    criteria: &Criteria,
    batch: &[Unit],
) -> Result<BatchResult, Failure> {
    session.begin_batch().await?;
    match remove_in_transaction(session, removal, criteria, batch).await {
        Ok(result) => match session.commit().await {
            Ok(()) => Ok(result),
            Err(failure) => Err(Failure {
                message: format!(
                    "the commit of {} was sent and not answered, so they may be done as well: {}",
                    describe(&result.units),
                    failure.message
                ),
                ..failure
            }),
        },
        Err(failure) => {
            // Report the original failure. If the rollback fails too, the server rolls back by itself.
            let _ = session.roll_back().await;
            Err(failure)
        }
    }
}

async fn remove_in_transaction(
    session: &mut WriteSession,
    removal: &Removal,
    criteria: &Criteria,
    batch: &[Unit],
) -> Result<BatchResult, Failure> {
    let (dags, singles): (Vec<&Unit>, Vec<&Unit>) = batch.iter().partition(|unit| unit.is_dag);
    let ids = |units: Vec<&Unit>| units.into_iter().map(|unit| unit.id).collect::<Vec<Uuid>>();
    let (dags, singles) = (ids(dags), ids(singles));
    let dags = if has_dags(&session.schema) { lock_dags(session, &dags).await? } else { dags };
    let jobs = lock_jobs(session, &dags, &singles, criteria.per_job).await?;
    let blocked: BTreeSet<Uuid> =
        jobs.iter().filter(|job| !job.is_locked).map(|job| job.unit(criteria.per_job)).collect();
    let unblocked =
        |ids: Vec<Uuid>| ids.into_iter().filter(|id| !blocked.contains(id)).collect::<Vec<Uuid>>();
    let (dags, singles) = (unblocked(dags), unblocked(singles));

    let plan = Plan::read_batch(session, criteria, &dags, &singles).await?;
    let due: BTreeSet<Uuid> = plan.units.iter().map(|unit| unit.id).collect();
    let skipped = batch.iter().filter(|unit| !due.contains(&unit.id)).copied().collect();

    let due_jobs: Vec<JobKey> = jobs
        .iter()
        .filter(|job| due.contains(&job.unit(criteria.per_job)))
        .map(|job| JobKey { id: job.id, queue: job.queue.as_deref() })
        .collect();
    let removed = removal.remove_jobs(session, &due_jobs).await?;
    if removed != plan.tally.jobs() {
        let message = format!(
            "the batch was rolled back, because it would have removed {removed} jobs instead of {}",
            plan.tally.jobs()
        );
        return Err(Failure::new(Reason::Other, message));
    }
    let due_dags: Vec<Uuid> = dags.into_iter().filter(|dag| due.contains(dag)).collect();
    let dag_rows = removal.remove_dags(session, &due_dags).await?;
    Ok(BatchResult { units: plan.units, tally: plan.tally, dag_rows, skipped })
}

/// A job of the batch.
struct Job {
    id: Uuid,
    queue: Option<String>,
    dag: Option<Uuid>,
    /// Whether this transaction has locked it; otherwise another session has.
    is_locked: bool,
}

impl Job {
    /// Returns the id of its unit.
    fn unit(&self, per_job: bool) -> Uuid {
        self.dag.filter(|_| !per_job).unwrap_or(self.id)
    }
}

/// Locks rows of DAGs and returns the ids of those that no other session has locked.
async fn lock_dags(session: &mut WriteSession, dags: &[Uuid]) -> Result<Vec<Uuid>, Failure> {
    let statement = sqlx::query(session.schema.name.statement(include_str!("lock_dags.sql"))).bind(dags);
    let rows = session.fetch_all(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("id")).collect::<Result<_, sqlx::Error>>()?)
}

/// Locks the jobs of DAGs and single jobs, as far as no other session has locked them, and returns all of them.
async fn lock_jobs(
    session: &mut WriteSession,
    dags: &[Uuid],
    singles: &[Uuid],
    per_job: bool,
) -> Result<Vec<Job>, Failure> {
    let statement = sqlx::query(session.schema.name.statement(include_str!("lock_jobs.sql")))
        .bind(dags)
        .bind(singles)
        .bind(per_job);
    let rows = session.fetch_all(statement).await?;
    let job = |row: &PgRow| {
        Ok(Job {
            id: row.try_get("id")?,
            queue: row.try_get("queue")?,
            dag: row.try_get("dag_id")?,
            is_locked: row.try_get("is_locked")?,
        })
    };
    Ok(rows.iter().map(job).collect::<Result<_, sqlx::Error>>()?)
}
