//! The way from a plan to what is done: batch after batch, with a pause as long as the work before it, so that replicas and
//! other sessions keep up; until it is done or a signal ends it.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tracing::info;

use super::disposal::{Disposal, Taken};
use super::estimate::PAUSE;
use super::plan::{Criteria, Plan, Unit};
use super::retry::{BATCH, retried};
use super::writer::Writer;
use crate::postgres::{Failure, Reason};
use crate::terminal::console::Console;

/// How often units that are locked by another session are tried.
const ROUNDS: u32 = 3;

/// So many units that cannot be taken are passed over; with more it is not they that something is wrong with.
const FAILURES: usize = 20;

/// How long a batch may keep its rows locked. Where foreign keys are dear, a batch of `--batch` rows takes longer.
const LONGEST: Duration = Duration::from_millis(500);

/// How many rows a batch has: as many as was asked for, or fewer where that takes too long.
pub(super) struct BatchSize {
    rows: u32,
    most: u32,
}

impl BatchSize {
    pub(super) fn new(most: u32) -> Self {
        BatchSize { rows: most, most }
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Halves it after a batch that took too long, and doubles it after one that took less than half of that.
    pub(super) fn adapt(&mut self, took: Duration) {
        if took > LONGEST {
            self.rows = (self.rows / 2).max(1);
        } else if took < LONGEST / 2 {
            self.rows = self.rows.saturating_mul(2).min(self.most);
        }
    }
}

/// What was done, and how it came to its end.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) taken: Taken,
    /// Units that cannot be taken, and why.
    pub(super) failed: Vec<(Unit, String)>,
    pub(super) interrupted: bool,
}

/// Takes all units of a plan.
///
/// # Errors
/// Any failure of the database, with what was done until then in `done`.
pub(super) async fn take(
    writer: &mut Writer,
    work: (&Disposal, &Criteria),
    plan: &Plan,
    rows: u32,
    console: &Console,
    done: &mut Done,
) -> Result<(), Failure> {
    let bar = console.progress(plan.jobs());
    let outcome = take_in_rounds(writer, work, plan, rows, &bar, done).await;
    bar.finish_and_clear();
    outcome
}

async fn take_in_rounds(
    writer: &mut Writer,
    work: (&Disposal, &Criteria),
    plan: &Plan,
    rows: u32,
    bar: &ProgressBar,
    done: &mut Done,
) -> Result<(), Failure> {
    let mut units = plan.units.clone();
    let mut size = BatchSize::new(rows);
    for round in 1..=ROUNDS {
        let mut busy: Vec<Unit> = Vec::new();
        let mut rest = &units[..];
        while !rest.is_empty() {
            let batch = Plan::batch(rest, size.rows());
            rest = &rest[batch.len()..];
            let began = Instant::now();
            let before = done.taken.plan.jobs();
            if !writer.is_interrupted() {
                busy.append(&mut take_batch(writer, work, batch, done).await?);
            }
            if writer.is_interrupted() {
                done.interrupted = true;
                return Ok(());
            }
            bar.inc(done.taken.plan.jobs() - before);
            size.adapt(began.elapsed());
            writer.pause(began.elapsed().max(PAUSE)).await;
        }
        units = busy;
        if units.is_empty() {
            break;
        }
        info!(units = units.len(), round, "locked by another session or changed since the plan");
    }
    done.taken.busy = units;
    Ok(())
}

/// Takes a batch; where something is wrong with it, its units one by one, so that one of them does not keep the others from
/// going, today and at every later run. Returns those that are locked or have changed.
async fn take_batch(
    writer: &mut Writer,
    work: (&Disposal, &Criteria),
    batch: &[Unit],
    done: &mut Done,
) -> Result<Vec<Unit>, Failure> {
    let (disposal, criteria) = work;
    let taken = retried(writer, &BATCH, async |writer| disposal.take(writer, criteria, batch).await).await;
    let failure = match taken {
        Ok(taken) => return Ok(done.count(taken)),
        Err(_) if writer.was_cancelled() => return Ok(batch.to_vec()),
        Err(failure) if !matches!(failure.reason, Reason::Other | Reason::Timeout) => return Err(failure),
        Err(failure) => failure,
    };
    if let [unit] = batch {
        done.failed.push((*unit, failure.message.clone()));
        return if done.failed.len() > FAILURES { Err(failure) } else { Ok(Vec::new()) };
    }
    let mut busy = Vec::new();
    for unit in batch {
        busy.append(&mut Box::pin(take_batch(writer, work, &[*unit], done)).await?);
    }
    Ok(busy)
}

impl Done {
    /// Returns what stayed.
    fn count(&mut self, taken: Taken) -> Vec<Unit> {
        self.taken.plan.absorb(taken.plan);
        self.taken.dags += taken.dags;
        taken.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_batches_shrink_and_fast_ones_grow_back() {
        let mut size = BatchSize::new(1000);
        let mut after = |millis| {
            size.adapt(Duration::from_millis(millis));
            size.rows()
        };
        assert_eq!([700, 600, 400, 100, 100, 100].map(&mut after), [500, 250, 250, 500, 1000, 1000]);
        for _ in 0..20 {
            after(900);
        }
        assert_eq!(after(900), 1);
    }
}
