//! The way from a plan to what is done: batch after batch, with a pause as long as the work before it, so that replicas and
//! everybody else keep up; until it is done or told to end.

use std::time::{Duration, Instant};

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

/// What was done, and how it came to its end.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) taken: Taken,
    pub(super) interrupted: bool,
}

/// Takes all units of a plan.
///
/// # Errors
/// Any failure of the database, with what was done until then in `done`.
pub(super) async fn take(
    writer: &mut Writer,
    (disposal, criteria): (&Disposal, &Criteria),
    plan: &Plan,
    rows: u32,
    console: &Console,
    shutdown: &mut watch::Receiver<bool>,
    done: &mut Done,
) -> Result<(), Failure> {
    let bar = console.progress(plan.jobs());
    let mut units = plan.units.clone();
    for round in 1..=ROUNDS {
        let mut busy: Vec<Unit> = Vec::new();
        for batch in Plan::batches(&units, rows) {
            let began = Instant::now();
            let mut taken = attempt(writer, disposal, criteria, batch).await?;
            bar.inc(taken.plan.jobs());
            busy.append(&mut taken.busy);
            done.taken.plan.absorb(taken.plan);
            done.taken.dags += taken.dags;
            if pause(began.elapsed().max(PAUSE), shutdown).await {
                done.interrupted = true;
                bar.finish_and_clear();
                return Ok(());
            }
        }
        if busy.is_empty() {
            break;
        }
        info!(units = busy.len(), round, "somebody is at work with these, or they have changed");
        units = busy;
    }
    done.taken.busy = units_left(units, done);
    bar.finish_and_clear();
    Ok(())
}

/// Of the last round's units those that have not gone.
fn units_left(units: Vec<Unit>, done: &Done) -> Vec<Unit> {
    let gone: std::collections::BTreeSet<_> = done.taken.plan.units.iter().map(|unit| unit.id).collect();
    units.into_iter().filter(|unit| !gone.contains(&unit.id)).collect()
}

async fn attempt(
    writer: &mut Writer,
    disposal: &Disposal,
    criteria: &Criteria,
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

/// Leaves the database to others; true where we are told to end.
pub(super) async fn pause(time: Duration, shutdown: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        () = ends(shutdown) => true,
    }
}
