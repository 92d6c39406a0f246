//! Session with the monitored database: at most one connection, which is opened when needed and dropped when its state is
//! uncertain. Each run is one short transaction on it.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::connect::connect;
use super::connection::Connection;
use super::failure::Failure;
use super::transaction::{Plans, Transaction};
use crate::config::DatabaseConfig;

/// Maximum age of a connection. Its memory on the server grows with the partitions that it has used.
const MAXIMUM_AGE: Duration = Duration::from_hours(1);

/// At most one connection, and the settings of each transaction on it.
pub struct Session {
    database: DatabaseConfig,
    transaction: Transaction,
    connection: Option<Open>,
}

/// A connection with its state.
struct Open {
    connection: Connection,
    since: Instant,
    /// Whether statements stay prepared on it from run to run.
    keeps_statements: bool,
    /// The server's process in the last run. With a pooler in transaction mode it can change. Then this connection's
    /// prepared statements are missing, or other clients' statements have their names.
    backend: Option<i32>,
}

impl Session {
    /// Returns a session of reading transactions. `statement_timeout` limits each statement.
    pub fn new(database: DatabaseConfig, statement_timeout: Duration) -> Self {
        Session::with_transaction(database, Transaction::reading(statement_timeout))
    }

    /// Returns a session whose transactions have these settings.
    pub fn with_transaction(database: DatabaseConfig, transaction: Transaction) -> Self {
        Session { database, transaction, connection: None }
    }

    /// Begins a transaction with the session's settings. Connects first if needed.
    ///
    /// The run takes the session's connection, and [`Session::finish`] returns it. If a run is dropped instead, the next
    /// one opens another connection.
    pub async fn begin(&mut self) -> Result<Run, Failure> {
        let transaction = self.transaction.clone();
        self.begin_with(&transaction).await
    }

    /// Begins a transaction whose statements are planned for the values of their parameters. So only the partitions that
    /// these values select are locked.
    pub async fn begin_planning_for_values(&mut self) -> Result<Run, Failure> {
        let transaction = Transaction { plans: Plans::Custom, ..self.transaction.clone() };
        self.begin_with(&transaction).await
    }

    /// Begins a transaction with other settings than the session's.
    pub async fn begin_with(&mut self, transaction: &Transaction) -> Result<Run, Failure> {
        if let Some(open) = self.connection.take()
            && open.since.elapsed() < MAXIMUM_AGE
            && let Ok(run) = begin_on(open, transaction).await
        {
            return Ok(run);
        }
        // A pooler, a firewall or a restart may have ended the idle connection. Only a new one shows whether the database
        // is available.
        let (connection, keeps_statements) = connect(&self.database).await?;
        let open = Open { connection, since: Instant::now(), keeps_statements, backend: None };
        begin_on(open, transaction).await
    }

    /// Ends the transaction of `run`, and keeps its connection unless `failure` made it unusable.
    pub async fn finish(&mut self, mut run: Run, failure: Option<&Failure>) {
        if failure.is_some_and(|failure| !failure.leaves_connection_usable()) {
            return;
        }
        let invalidates = failure.is_some_and(Failure::invalidates_statements);
        if run.end().await.is_ok() && (!invalidates || run.clear_cached_statements().await.is_ok()) {
            self.connection = Some(run.0);
        }
    }

    /// Closes the connection properly, so that the server does not log a broken one.
    pub async fn close(&mut self) {
        if let Some(Open { connection, .. }) = self.connection.take() {
            connection.close().await;
        }
    }
}

/// Begins a transaction on an open connection. It does not use sqlx's transaction guard, which would borrow the connection
/// for the whole run.
async fn begin_on(mut open: Open, transaction: &Transaction) -> Result<Run, Failure> {
    let clean_up = if open.keeps_statements { "" } else { include_str!("forget_statements.sql") };
    let backend = open.connection.begin(transaction, clean_up).await?;
    if open.backend.replace(backend).is_some_and(|before| before != backend) {
        open.connection.clear_cached_statements().await?;
    }
    Ok(Run(open))
}

/// An open transaction. The methods of [`Connection`] execute its statements.
pub struct Run(Open);

impl Run {
    async fn end(&mut self) -> Result<(), Failure> {
        if !self.0.keeps_statements {
            // Before the transaction ends, because a pooler gives the session to another client afterwards.
            self.clear_cached_statements().await?;
        }
        self.execute(sqlx::raw_sql("ROLLBACK")).await?;
        Ok(())
    }
}

impl Deref for Run {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0.connection
    }
}

impl DerefMut for Run {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0.connection
    }
}
