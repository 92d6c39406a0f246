//! The way from a plan to what is done: batch after batch, with a pause as long as the work before it, so that replicas and
//! everybody else keep up; until it is done or told to end.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tokio::sync::watch;
use tracing::info;

use super::console::Console;
use super::disposal::{Disposal, Taken};
use super::plan::{Criteria, Plan, Unit};
use super::writer::Writer;
use crate::database::{Failure, Reason};
use crate::shutdown::ends;

/// A lock, a deadlock or a conflict says that somebody else is at work: so often it is tried again.
const ATTEMPTS: u32 = 5;

/// The least that is left to others between two batches.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// What stayed because somebody was at work with it is tried again so often.
const ROUNDS: u32 = 3;

/// So many units that cannot be taken are passed over; with more it is not they that something is wrong with.
const FAILURES: usize = 20;

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
    shutdown: &mut watch::Receiver<bool>,
    done: &mut Done,
) -> Result<(), Failure> {
    let bar = console.progress(plan.jobs());
    let outcome = take_in_rounds(writer, work, plan, rows, &bar, shutdown, done).await;
    bar.finish_and_clear();
    outcome
}

async fn take_in_rounds(
    writer: &mut Writer,
    work: (&Disposal, &Criteria),
    plan: &Plan,
    rows: u32,
    bar: &ProgressBar,
    shutdown: &mut watch::Receiver<bool>,
    done: &mut Done,
) -> Result<(), Failure> {
    let mut units = plan.units.clone();
    for round in 1..=ROUNDS {
        let mut busy: Vec<Unit> = Vec::new();
        for batch in Plan::batches(&units, rows) {
            let began = Instant::now();
            if *shutdown.borrow() {
                done.interrupted = true;
                return Ok(());
            }
            let before = done.taken.plan.jobs();
            busy.append(&mut take_batch(writer, work, batch, done).await?);
            bar.inc(done.taken.plan.jobs() - before);
            pause(began.elapsed().max(PAUSE), shutdown).await;
        }
        units = busy;
        if units.is_empty() {
            break;
        }
        info!(units = units.len(), round, "somebody is at work with these, or they have changed");
    }
    done.taken.busy = units;
    Ok(())
}

/// Takes a batch; where something is wrong with it, its units one by one, so that one of them does not keep the others from
/// going, today and at every later run. Returns those that somebody is at work with.
async fn take_batch(
    writer: &mut Writer,
    work: (&Disposal, &Criteria),
    batch: &[Unit],
    done: &mut Done,
) -> Result<Vec<Unit>, Failure> {
    let failure = match attempt(writer, work, batch).await {
        Ok(taken) => return Ok(done.count(taken)),
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

async fn attempt(
    writer: &mut Writer,
    (disposal, criteria): (&Disposal, &Criteria),
    batch: &[Unit],
) -> Result<Taken, Failure> {
    let mut attempt = 1;
    loop {
        match disposal.take(writer, criteria, batch).await {
            Err(Failure { reason: Reason::Lock | Reason::Conflict, message }) if attempt < ATTEMPTS => {
                info!(attempt, message, "trying this batch again");
                tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Leaves the database to others, unless we are told to end.
pub(super) async fn pause(time: Duration, shutdown: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = ends(shutdown) => {}
    }
}
