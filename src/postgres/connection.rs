//! Connection to PostgreSQL with a time limit on the client's side for each statement.
//!
//! The server's statement time-out does not help if the network loses the response, so the client waits only a little
//! longer than it. All statements go through this type. [`Session`](super::Session) and the maintaining commands use it.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, TryStreamExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement};
use sqlx::{AssertSqlSafe, Connection as _, Execute, Executor, PgConnection, Postgres, SqlStr};

use super::transaction::{GRACE, Transaction};
use super::{Failure, Reason};

/// Time limit outside of a transaction, unless [`Connection::set_limit`] changes it.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// How long closing a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection whose statements have a time limit.
pub struct Connection {
    inner: PgConnection,
    limit: Duration,
    busy: Duration,
    /// Whether the response to a statement has not been read completely. Then no other statement is sent, because its
    /// response could not be told from the earlier one.
    is_waiting: bool,
}

impl Connection {
    pub fn new(inner: PgConnection) -> Self {
        Connection { inner, limit: DEFAULT_LIMIT, busy: Duration::ZERO, is_waiting: false }
    }

    /// Sets the time limit for each statement.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Begins a transaction in one round trip, and returns the process id of the server's session. `appended` is constant
    /// SQL that runs at the beginning of the transaction.
    pub(crate) async fn begin(&mut self, transaction: &Transaction, appended: &str) -> Result<i32, Failure> {
        self.limit = transaction.statement_timeout.saturating_add(GRACE);
        self.busy = Duration::ZERO;
        let begin = AssertSqlSafe(transaction.begin_statement() + appended);
        let row = self.fetch_one(sqlx::raw_sql(begin)).await?;
        Ok(sqlx::Row::try_get(&row, "backend")?)
    }

    /// Returns the rows of one statement.
    ///
    /// Fails with [`Reason::Unavailable`] if the response does not arrive within the limit.
    pub async fn fetch_all<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<PgRow>, Failure> {
        let started = self.start()?;
        let response = with_limit(self.limit, self.inner.fetch_all(statement)).await;
        self.finish(started, response)
    }

    /// Returns the first row of one statement. Fails if it has none.
    pub async fn fetch_one<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgRow, Failure> {
        let started = self.start()?;
        let response = with_limit(self.limit, self.inner.fetch_one(statement)).await;
        self.finish(started, response)
    }

    /// Returns the first row of one statement, or `None` if it has none.
    pub async fn fetch_optional<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Option<PgRow>, Failure> {
        let started = self.start()?;
        let response = with_limit(self.limit, self.inner.fetch_optional(statement)).await;
        self.finish(started, response)
    }

    /// Passes each row of one statement to `take`, without storing the rows. Returns the first error of `take`.
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
                // The response is read completely in any case, so that the connection stays usable.
                if outcome.is_ok() {
                    outcome = take(&row);
                }
            }
            Ok(())
        };
        let response = with_limit(self.limit, rows).await;
        self.finish(started, response).and(outcome)
    }

    /// Executes one statement, and ignores its rows.
    pub async fn execute<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, Failure> {
        let started = self.start()?;
        let response = with_limit(self.limit, self.inner.execute(statement)).await;
        self.finish(started, response)
    }

    /// Prepares a statement, which returns the names and types of its columns.
    pub async fn prepare(&mut self, statement: SqlStr) -> Result<PgStatement, Failure> {
        let started = self.start()?;
        let response = with_limit(self.limit, self.inner.prepare(statement)).await;
        self.finish(started, response)
    }

    /// Removes the prepared statements of this connection, from the server too.
    pub async fn clear_cached_statements(&mut self) -> Result<(), Failure> {
        let started = self.start()?;
        let response = with_limit(self.limit, self.inner.clear_cached_statements()).await;
        self.finish(started, response)
    }

    /// Returns how long statements have taken since the transaction began, network included.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Closes the connection properly, so that the server does not log a broken one.
    pub async fn close(self) {
        if !self.is_waiting {
            // The connection is dropped in any case, so an error does not matter.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.inner.close()).await;
        }
    }

    /// Records that a statement is being sent. Fails if an earlier one has not been answered.
    fn start(&mut self) -> Result<Instant, Failure> {
        if self.is_waiting {
            let message = "an earlier statement on this connection has not been answered";
            return Err(Failure::new(Reason::Unavailable, message));
        }
        self.is_waiting = true;
        Ok(Instant::now())
    }

    /// Records how long a statement took, and whether its response was read completely.
    fn finish<T>(
        &mut self,
        started: Instant,
        response: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        self.busy += started.elapsed();
        let Ok(response) = response else {
            let message = format!("the database has not answered for {} s", self.limit.as_secs());
            return Err(Failure::new(Reason::Unavailable, message));
        };
        // After such an error it is unknown where the next response begins.
        self.is_waiting = matches!(response, Err(sqlx::Error::Protocol(_) | sqlx::Error::Io(_)));
        Ok(response?)
    }
}

/// Waits for the driver at most `limit`.
///
/// A panic of the driver becomes an error. The driver panics at some messages that PostgreSQL never sends, and a faulty
/// server must not end the program.
pub(super) async fn with_limit<T>(
    limit: Duration,
    response: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed> {
    let response = AssertUnwindSafe(response).catch_unwind();
    Ok(tokio::time::timeout(limit, response).await?.unwrap_or_else(|_| {
        Err(sqlx::Error::Protocol("the driver does not understand the server's answer".to_owned()))
    }))
}
