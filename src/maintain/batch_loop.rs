//! Removes the units of a plan batch by batch, with a pause after each, until all are removed or a signal arrives.

use std::time::Instant;

use indicatif::ProgressBar;
use tracing::info;

use super::batch::{self, BatchResult};
use super::batch_size::{BatchSize, pause_after};
use super::criteria::Criteria;
use super::plan::{Unit, next_batch};
use super::removal::Removal;
use super::retry::{BATCH, retry};
use super::session::WriteSession;
use super::tally::Tally;
use crate::postgres::{Failure, Reason};

/// How often a skipped unit is tried.
const ROUNDS: u32 = 3;

/// Number of failed units that the loop tolerates. More failures have a cause beyond single units.
const TOLERATED_FAILURES: usize = 20;

/// What the loop has done so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) units: Vec<Unit>,
    /// Removed jobs.
    pub(super) tally: Tally,
    /// Deleted rows of the table dag.
    pub(super) dag_rows: u64,
    /// Units that were still locked or changed in the last round.
    pub(super) skipped: Vec<Unit>,
    /// Units that could not be removed, with the reason.
    pub(super) failed: Vec<(Unit, String)>,
    pub(super) is_interrupted: bool,
}

pub(super) struct BatchLoop<'a> {
    session: &'a mut WriteSession,
    removal: &'a Removal,
    criteria: &'a Criteria,
    size: BatchSize,
    bar: ProgressBar,
    totals: Totals,
}

impl<'a> BatchLoop<'a> {
    /// Creates the loop. `rows` is the largest batch, and `bar` counts removed jobs.
    pub(super) fn new(
        session: &'a mut WriteSession,
        removal: &'a Removal,
        criteria: &'a Criteria,
        rows: u32,
        bar: ProgressBar,
    ) -> Self {
        BatchLoop { session, removal, criteria, size: BatchSize::new(rows), bar, totals: Totals::default() }
    }

    /// Removes these units. Returns what was removed, also after a failure.
    pub(super) async fn run(mut self, units: &[Unit]) -> (Totals, Result<(), Failure>) {
        let outcome = self.run_rounds(units.to_vec()).await;
        self.bar.finish_and_clear();
        (self.totals, outcome)
    }

    async fn run_rounds(&mut self, mut units: Vec<Unit>) -> Result<(), Failure> {
        for round in 1..=ROUNDS {
            let mut skipped: Vec<Unit> = Vec::new();
            let mut rest = &units[..];
            while !rest.is_empty() {
                let batch = next_batch(rest, self.size.rows());
                rest = &rest[batch.len()..];
                let began = Instant::now();
                let jobs_before = self.totals.tally.jobs();
                if !self.session.is_interrupted() {
                    skipped.append(&mut self.remove_batch(batch).await?);
                }
                if self.session.is_interrupted() {
                    self.totals.is_interrupted = true;
                    return Ok(());
                }
                self.bar.inc(self.totals.tally.jobs() - jobs_before);
                self.size.adapt(began.elapsed());
                self.session.pause(pause_after(began.elapsed())).await;
            }
            units = skipped;
            if units.is_empty() {
                break;
            }
            info!(units = units.len(), round, "locked by another session or changed since the plan");
        }
        self.totals.skipped = units;
        Ok(())
    }

    /// Removes a batch and returns the units that were skipped.
    ///
    /// If the batch fails, its units are tried one by one, so that one bad unit does not block the others.
    async fn remove_batch(&mut self, batch: &[Unit]) -> Result<Vec<Unit>, Failure> {
        let (removal, criteria) = (self.removal, self.criteria);
        let result = retry(self.session, &BATCH, async |session| {
            batch::remove(session, removal, criteria, batch).await
        })
        .await;
        let failure = match result {
            Ok(result) => return Ok(self.add(result)),
            Err(_) if self.session.was_cancelled() => return Ok(batch.to_vec()),
            Err(failure) if !matches!(failure.reason, Reason::Other | Reason::Timeout) => {
                return Err(failure);
            }
            Err(failure) => failure,
        };
        if let [unit] = batch {
            self.totals.failed.push((*unit, failure.message.clone()));
            let is_tolerated = self.totals.failed.len() <= TOLERATED_FAILURES;
            return if is_tolerated { Ok(Vec::new()) } else { Err(failure) };
        }
        let mut skipped = Vec::new();
        for unit in batch {
            skipped.append(&mut Box::pin(self.remove_batch(&[*unit])).await?);
        }
        Ok(skipped)
    }

    /// Adds the result of a batch to the totals and returns the units that it skipped.
    fn add(&mut self, result: BatchResult) -> Vec<Unit> {
        self.totals.units.extend(result.units);
        self.totals.tally.merge(result.tally);
        self.totals.dag_rows += result.dag_rows;
        result.skipped
    }
}
