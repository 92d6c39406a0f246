//! Watches the statement that runs on the writer's connection, by a second connection.
//!
//! The second connection holds the lock against a second run. It is also asked every few seconds whether the server
//! still runs the statement, so that a dead network ends the command within seconds however long the statement may
//! take; and it cancels the statement after a signal.

use std::time::Duration;

use sqlx::Row;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::postgres::{Connection, Failure, Reason};
use tokio_util::sync::CancellationToken;

/// How often the server is asked whether it still runs the statement.
const BEAT: Duration = Duration::from_secs(5);

/// How long the server has to answer. A server that is busy with an index may be slow.
const ANSWER: Duration = Duration::from_secs(10);

/// How long the answer to a cancelled statement is waited for.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Watchdog {
    guard: Connection,
    shutdown: CancellationToken,
    /// The process id of the server's session that runs the statements.
    pub(super) backend: i32,
    /// How long a statement may go on after a signal before it is cancelled.
    pub(super) patience: Duration,
    was_cancelled: bool,
}

impl Watchdog {
    pub(super) fn new(mut guard: Connection, shutdown: CancellationToken) -> Self {
        guard.set_limit(ANSWER);
        Watchdog { guard, shutdown, backend: 0, patience: Duration::ZERO, was_cancelled: false }
    }

    /// Whether a signal has told the process to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    pub(super) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Whether a signal has ended a statement.
    pub(super) fn was_cancelled(&self) -> bool {
        self.was_cancelled
    }

    /// Waits until a signal tells the process to end.
    pub(super) async fn interrupted(&mut self) {
        self.shutdown.cancelled().await;
    }

    /// Waits for `time`, or until a signal.
    pub(super) async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    /// Makes sure that the lock against a second run is still held.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn check(&mut self) -> Result<(), Failure> {
        self.guard.execute(sqlx::raw_sql("SELECT 1")).await.map(drop).map_err(lost)
    }

    /// Waits for the outcome of a statement.
    ///
    /// # Errors
    /// The statement's, [`Reason::Unavailable`] where the network is dead, and that it was cancelled after a signal.
    /// In the last two cases the statement's connection must not be used any more.
    pub(super) async fn watch<T>(
        &mut self,
        statement: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::pin!(statement);
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut misses = 0;
        // When the statement is cancelled, once a signal was received; afterwards, when its answer is given up.
        let mut deadline = None;
        loop {
            tokio::select! {
                biased;
                outcome = &mut statement => return match outcome {
                    Err(failure) if self.was_cancelled && failure.reason == Reason::Timeout => Err(interrupted()),
                    outcome => outcome,
                },
                () = self.shutdown.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + self.patience);
                }
                () = until(deadline), if deadline.is_some() => {
                    let is_first = !self.was_cancelled;
                    self.was_cancelled = true;
                    // Where that fails the network is dead, and dropping the connection is all that is left.
                    if !is_first || self.cancel().await.is_err() {
                        return Err(interrupted());
                    }
                    deadline = Some(Instant::now() + CANCEL_TIMEOUT);
                }
                _ = beat.tick() => {
                    // An answer may be on its way, so that the first miss says nothing.
                    misses = if self.is_running().await? { 0 } else { misses + 1 };
                    if misses > 1 {
                        let message = "the statement has ended on the server, but its answer was lost";
                        return Err(Failure::new(Reason::Unavailable, message));
                    }
                }
            }
        }
    }

    /// Whether the server still runs a statement on the writer's connection.
    async fn is_running(&mut self) -> Result<bool, Failure> {
        // Otherwise every look in this transaction would show what the first one saw.
        self.guard.execute(sqlx::query("select pg_stat_clear_snapshot()")).await.map_err(lost)?;
        let statement = sqlx::query(include_str!("is_running.sql")).bind(self.backend);
        Ok(self.guard.fetch_one(statement).await.map_err(lost)?.try_get("is_running")?)
    }

    async fn cancel(&mut self) -> Result<(), Failure> {
        self.guard.execute(sqlx::query("select pg_stat_clear_snapshot()")).await?;
        let statement = sqlx::query(include_str!("cancel.sql")).bind(self.backend);
        self.guard.execute(statement).await.map(drop)
    }

    /// Ends the connection, and with it the lock.
    pub(super) async fn close(self) {
        self.guard.close().await;
    }
}

async fn until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        sleep_until(deadline).await;
    }
}

fn interrupted() -> Failure {
    Failure::new(Reason::Other, "interrupted by a signal; the statement that ran was cancelled")
}

fn lost(mut failure: Failure) -> Failure {
    failure.message.insert_str(0, "the lock against a second run is lost: ");
    failure
}
