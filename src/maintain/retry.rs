//! Repeats work that did not get a lock in time, or that lost a deadlock, after growing pauses.

use std::time::Duration;

use tracing::info;

use super::writer::Writer;
use crate::postgres::{Failure, Reason};

/// How often work is tried, and the pauses between: each is twice the one before it.
pub(super) struct Retry {
    attempts: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

/// For a batch of rows, which others hold for a moment only.
pub(super) const BATCH: Retry =
    Retry { attempts: 5, first_pause: Duration::from_millis(100), longest_pause: Duration::from_secs(1) };

/// For a change of tables, which waits for every open transaction that has used them. About nine minutes.
pub(super) const TABLES: Retry =
    Retry { attempts: 60, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(10) };

/// Runs `work` until it ends otherwise than for a lock or a conflict. It has to end its transaction itself.
///
/// # Errors
/// The failure of the last attempt.
pub(super) async fn retried<T>(
    writer: &mut Writer,
    retry: &Retry,
    mut work: impl AsyncFnMut(&mut Writer) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut pause = retry.first_pause;
    let mut attempt = 1;
    loop {
        let failure = match work(writer).await {
            Err(failure) if matches!(failure.reason, Reason::Lock | Reason::Conflict) => failure,
            outcome => return outcome,
        };
        if attempt == retry.attempts || writer.is_interrupted() {
            return Err(failure);
        }
        info!(
            attempt,
            message = failure.message,
            seconds = pause.as_secs_f64(),
            "locked; trying again after a pause"
        );
        writer.pause(pause).await;
        pause = (pause * 2).min(retry.longest_pause);
        attempt += 1;
    }
}

/// Runs `work` in a transaction and commits it, again where it does not get a lock.
///
/// # Errors
/// As of [`retried`].
pub(super) async fn changed<T>(
    writer: &mut Writer,
    retry: &Retry,
    mut work: impl AsyncFnMut(&mut Writer) -> Result<T, Failure>,
) -> Result<T, Failure> {
    retried(writer, retry, async |writer: &mut Writer| {
        writer.begin_change().await?;
        match work(writer).await {
            Ok(done) => {
                writer.commit().await?;
                Ok(done)
            }
            Err(failure) => {
                // The server would end it as well; the failure is what matters.
                let _ = writer.roll_back().await;
                Err(failure)
            }
        }
    })
    .await
}
