//! Watches the statement that runs on the connection of a [`WriteSession`](super::session::WriteSession).
//!
//! The watchdog has a second connection, which holds the maintain lock. Every few seconds it queries over that connection
//! whether the server still runs the statement. A dead network therefore ends the command within seconds, however long
//! the statement may take. After a signal the watchdog cancels the statement.

use std::time::Duration;

use sqlx::Row;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::postgres::{Connection, Failure, Reason};

/// Interval of the checks whether the server still runs the statement.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Time limit of each statement of the watchdog. A server that builds an index may be slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the watchdog waits for the result of a statement that it has cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Watchdog {
    guard: Connection,
    shutdown: CancellationToken,
    /// Process id of the server's session that runs the statements.
    pub(super) backend: i32,
    /// How long a statement may continue after a signal before it is cancelled.
    pub(super) grace: Duration,
    was_cancelled: bool,
}

impl Watchdog {
    /// Creates a watchdog from the connection that holds the maintain lock.
    pub(super) fn new(mut guard: Connection, shutdown: CancellationToken) -> Self {
        guard.set_limit(ANSWER_TIMEOUT);
        Watchdog { guard, shutdown, backend: 0, grace: Duration::ZERO, was_cancelled: false }
    }

    /// Returns whether the process has received a signal to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Returns the token that a signal to end cancels.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Returns whether a statement was cancelled after a signal.
    pub(super) fn was_cancelled(&self) -> bool {
        self.was_cancelled
    }

    /// Waits for `time`, or until a signal.
    pub(super) async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    /// Checks that the maintain lock is still held.
    pub(super) async fn check(&mut self) -> Result<(), Failure> {
        self.guard.execute(sqlx::raw_sql("SELECT 1")).await.map(drop).map_err(lock_lost)
    }

    /// Waits for the result of a statement.
    ///
    /// # Errors
    /// The failure of the statement, [`Reason::Unavailable`] if the network is dead, or the cancellation after a signal.
    /// After the last two the connection of the statement must not be used again.
    pub(super) async fn watch<T>(
        &mut self,
        statement: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::pin!(statement);
        let mut checks = interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut misses = 0;
        // Set by a signal. First the time at which the statement is cancelled, then the time limit for its result.
        let mut deadline = None;
        loop {
            tokio::select! {
                biased;
                outcome = &mut statement => return match outcome {
                    Err(failure) if self.was_cancelled && failure.reason == Reason::Timeout => Err(interrupted()),
                    outcome => outcome,
                },
                () = self.shutdown.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + self.grace);
                }
                () = sleep_until_deadline(deadline), if deadline.is_some() => {
                    let is_first = !self.was_cancelled;
                    self.was_cancelled = true;
                    // If the cancellation fails, the network is dead, and the caller drops the connection.
                    if !is_first || self.cancel().await.is_err() {
                        return Err(interrupted());
                    }
                    deadline = Some(Instant::now() + CANCEL_TIMEOUT);
                }
                _ = checks.tick() => {
                    // The first miss proves nothing, because the result may still be on its way.
                    misses = if self.is_running().await? { 0 } else { misses + 1 };
                    if misses > 1 {
                        let message = "the statement has ended on the server, but its answer was lost";
                        return Err(Failure::new(Reason::Unavailable, message));
                    }
                }
            }
        }
    }

    /// Returns whether the server still runs a statement on the watched connection.
    async fn is_running(&mut self) -> Result<bool, Failure> {
        // Without this, each check in the open transaction would return what the first one returned.
        self.guard.execute(sqlx::query("select pg_stat_clear_snapshot()")).await.map_err(lock_lost)?;
        let statement = sqlx::query(include_str!("is_running.sql")).bind(self.backend);
        Ok(self.guard.fetch_one(statement).await.map_err(lock_lost)?.try_get("is_running")?)
    }

    async fn cancel(&mut self) -> Result<(), Failure> {
        self.guard.execute(sqlx::query("select pg_stat_clear_snapshot()")).await?;
        let statement = sqlx::query(include_str!("cancel.sql")).bind(self.backend);
        self.guard.execute(statement).await.map(drop)
    }

    /// Closes the connection, which releases the maintain lock.
    pub(super) async fn close(self) {
        self.guard.close().await;
    }
}

async fn sleep_until_deadline(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        sleep_until(deadline).await;
    }
}

fn interrupted() -> Failure {
    Failure::new(Reason::Other, "interrupted by a signal; the statement that ran was cancelled")
}

fn lock_lost(mut failure: Failure) -> Failure {
    failure.message.insert_str(0, "the lock against a second run is lost: ");
    failure
}
