//! A connection to PostgreSQL on which each statement has a time limit of the client's.
//!
//! The server's own time-outs end a statement that takes too long. They do not help where the network loses the
//! answer, so the client waits only a little longer than they allow. Everything that talks to the database does so
//! through this type; [`Session`](super::Session) and the maintaining commands open it.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, TryStreamExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement};
use sqlx::{AssertSqlSafe, Connection as _, Execute, Executor, PgConnection, Postgres, SqlStr};

use super::transaction::{GRACE, Transaction};
use super::{Failure, Reason};

/// The limit outside of a transaction, unless [`Connection::set_limit`] changes it.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// How long a server has to acknowledge the end of a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

pub struct Connection {
    inner: PgConnection,
    limit: Duration,
    busy: Duration,
    /// Whether a statement was sent whose answer has not been read to its end. The next answer on this connection
    /// could be that of the wrong statement, so nothing is sent any more.
    is_waiting: bool,
}

impl Connection {
    pub fn new(inner: PgConnection) -> Self {
        Connection { inner, limit: DEFAULT_LIMIT, busy: Duration::ZERO, is_waiting: false }
    }

    /// Sets the time after which the answer to a single statement is no longer waited for.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Opens a transaction, in one round trip. Returns the process id of the server's session. `appended` is
    /// constant SQL that runs at the transaction's beginning.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(crate) async fn begin(&mut self, transaction: &Transaction, appended: &str) -> Result<i32, Failure> {
        self.limit = transaction.statement_timeout.saturating_add(GRACE);
        self.busy = Duration::ZERO;
        let begin = AssertSqlSafe(transaction.begin_statement() + appended);
        let row = self.fetch_one(sqlx::raw_sql(begin)).await?;
        Ok(sqlx::Row::try_get(&row, "backend")?)
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// The server's error, or [`Reason::Unavailable`] where no answer comes within the limit.
    pub async fn fetch_all<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<PgRow>, Failure> {
        let started = self.start()?;
        let answer = answer(self.limit, self.inner.fetch_all(statement)).await;
        self.finish(started, answer)
    }

    /// The only row of one statement.
    ///
    /// # Errors
    /// As of [`Connection::fetch_all`]; also where there is no row.
    pub async fn fetch_one<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgRow, Failure> {
        let started = self.start()?;
        let answer = answer(self.limit, self.inner.fetch_one(statement)).await;
        self.finish(started, answer)
    }

    /// The row of one statement, if there is one.
    ///
    /// # Errors
    /// As of [`Connection::fetch_all`].
    pub async fn fetch_optional<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Option<PgRow>, Failure> {
        let started = self.start()?;
        let answer = answer(self.limit, self.inner.fetch_optional(statement)).await;
        self.finish(started, answer)
    }

    /// Passes each row of one statement to `take`, without keeping them.
    ///
    /// # Errors
    /// As of [`Connection::fetch_all`]; also the first error of `take`.
    pub async fn fetch_each<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
        mut take: impl FnMut(&PgRow) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let started = self.start()?;
        let mut outcome = Ok(());
        let rows = async {
            let mut rows = self.inner.fetch(statement);
            while let Some(row) = rows.try_next().await? {
                // The answer is read to its end in any case, so that the connection stays usable.
                if outcome.is_ok() {
                    outcome = take(&row);
                }
            }
            Ok(())
        };
        let answer = answer(self.limit, rows).await;
        self.finish(started, answer).and(outcome)
    }

    /// Runs one statement and drops its rows.
    ///
    /// # Errors
    /// As of [`Connection::fetch_all`].
    pub async fn execute<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, Failure> {
        let started = self.start()?;
        let answer = answer(self.limit, self.inner.execute(statement)).await;
        self.finish(started, answer)
    }

    /// Prepares a statement: the names and types of its columns are then known without a row.
    ///
    /// # Errors
    /// As of [`Connection::fetch_all`].
    pub async fn prepare(&mut self, statement: SqlStr) -> Result<PgStatement, Failure> {
        let started = self.start()?;
        let answer = answer(self.limit, self.inner.prepare(statement)).await;
        self.finish(started, answer)
    }

    /// Forgets the statements that were prepared on this connection, on the server too.
    ///
    /// # Errors
    /// As of [`Connection::fetch_all`].
    pub async fn clear_cached_statements(&mut self) -> Result<(), Failure> {
        let started = self.start()?;
        let answer = answer(self.limit, self.inner.clear_cached_statements()).await;
        self.finish(started, answer)
    }

    /// The time since the transaction's beginning that statements took, network included.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Ends the connection in an orderly way, so that the server's log shows no broken one.
    pub async fn close(self) {
        if !self.is_waiting {
            // An error does not matter: the connection is dropped in any case.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.inner.close()).await;
        }
    }

    fn start(&mut self) -> Result<Instant, Failure> {
        if self.is_waiting {
            let message = "an earlier statement on this connection has not been answered";
            return Err(Failure::new(Reason::Unavailable, message));
        }
        self.is_waiting = true;
        Ok(Instant::now())
    }

    /// Notes what a statement took and whether its answer has come.
    fn finish<T>(
        &mut self,
        started: Instant,
        answer: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        self.busy += started.elapsed();
        let Ok(answer) = answer else {
            let message = format!("the database has not answered for {} s", self.limit.as_secs());
            return Err(Failure::new(Reason::Unavailable, message));
        };
        // After such an error nobody knows where the next answer begins.
        self.is_waiting = matches!(answer, Err(sqlx::Error::Protocol(_) | sqlx::Error::Io(_)));
        Ok(answer?)
    }
}

/// Waits for the driver's answer. A panic of the driver is an error: it fails that way at messages that no PostgreSQL
/// sends, and one server must not end the program.
pub(super) async fn answer<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    Ok(tokio::time::timeout(limit, answer).await?.unwrap_or_else(|_| {
        Err(sqlx::Error::Protocol("the driver does not understand the server's answer".to_owned()))
    }))
}
