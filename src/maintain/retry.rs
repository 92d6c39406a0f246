//! Repeats work after a lock time-out, a deadlock or a conflict, with growing pauses.

use std::time::Duration;

use tracing::info;

use super::session::WriteSession;
use crate::postgres::{Failure, Reason};

/// How often work is tried, and the pauses in between. Each pause is twice the previous one, up to the longest.
pub(super) struct RetryPolicy {
    attempts: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

/// For a batch of rows, which other sessions lock only briefly.
pub(super) const BATCH: RetryPolicy = RetryPolicy {
    attempts: 5,
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(1),
};

/// For a change of tables, which waits for every open transaction that has used them. Takes about nine minutes.
pub(super) const TABLES: RetryPolicy = RetryPolicy {
    attempts: 60,
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(10),
};

/// Runs `work` until it succeeds or fails for another reason than a lock or a conflict.
///
/// `work` has to end its own transaction. A signal ends the retries.
///
/// # Errors
/// The failure of the last attempt.
pub(super) async fn retry<T>(
    session: &mut WriteSession,
    policy: &RetryPolicy,
    mut work: impl AsyncFnMut(&mut WriteSession) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut pause = policy.first_pause;
    let mut attempt = 1;
    loop {
        let failure = match work(session).await {
            Err(failure) if matches!(failure.reason, Reason::Lock | Reason::Conflict) => failure,
            outcome => return outcome,
        };
        if attempt == policy.attempts || session.is_interrupted() {
            return Err(failure);
        }
        info!(
            attempt,
            message = failure.message,
            seconds = pause.as_secs_f64(),
            "locked; trying again after a pause"
        );
        session.pause(pause).await;
        pause = (pause * 2).min(policy.longest_pause);
        attempt += 1;
    }
}

/// Runs `work` in a transaction and commits it. Retries as [`retry`] does.
///
/// # Errors
/// The failure of the last attempt.
pub(super) async fn change_with_retries<T>(
    session: &mut WriteSession,
    policy: &RetryPolicy,
    mut work: impl AsyncFnMut(&mut WriteSession) -> Result<T, Failure>,
) -> Result<T, Failure> {
    retry(session, policy, async |session: &mut WriteSession| {
        session.begin_change().await?;
        match work(session).await {
            Ok(done) => {
                session.commit().await?;
                Ok(done)
            }
            Err(failure) => {
                // Report the original failure. If the rollback fails too, the server rolls back by itself.
                let _ = session.roll_back().await;
                Err(failure)
            }
        }
    })
    .await
}
