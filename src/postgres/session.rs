//! A session of the exporter with the monitored database: at most one connection, opened when needed and thrown away
//! when its state is in doubt. Each run is one short transaction on it.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::connect::connect;
use super::connection::Connection;
use super::failure::Failure;
use super::transaction::{Plans, Transaction};
use crate::config::DatabaseConfig;

/// A connection's plans and its cache of relations grow with the partitions that it has seen.
const MAXIMUM_AGE: Duration = Duration::from_hours(1);

/// One connection at most, and the settings of every transaction on it.
pub struct Session {
    database: DatabaseConfig,
    transaction: Transaction,
    connection: Option<Open>,
}

/// A connection and what is known of it.
struct Open {
    connection: Connection,
    since: Instant,
    /// Whether statements stay prepared on it from run to run.
    keeps_statements: bool,
    /// The server's process behind it in the last run. Behind a pooler that gives each transaction the session that
    /// is free it changes, and our statements are not there any more: under their names may be others.
    backend: Option<i32>,
}

impl Session {
    /// A session whose transactions read. `statement_timeout` bounds each single statement.
    pub fn new(database: DatabaseConfig, statement_timeout: Duration) -> Self {
        Session::with(database, Transaction::reading(statement_timeout))
    }

    /// A session whose transactions have these settings.
    pub fn with(database: DatabaseConfig, transaction: Transaction) -> Self {
        Session { database, transaction, connection: None }
    }

    /// Opens a transaction with the session's settings, connecting first where needed.
    ///
    /// The connection is the session's only one: it comes back with [`Session::finish`], and a run that
    /// does not bring it back leaves the next one to open another.
    ///
    /// # Errors
    /// [`Reason::Unavailable`] where the database cannot be reached or does not answer.
    pub async fn begin(&mut self) -> Result<Run, Failure> {
        let transaction = self.transaction.clone();
        self.begin_with(&transaction).await
    }

    /// Opens a transaction whose statements are planned for the values of their parameters, so that only the partitions
    /// that these name are locked.
    ///
    /// # Errors
    /// As of [`Session::begin`].
    pub async fn begin_planning_for_values(&mut self) -> Result<Run, Failure> {
        let transaction = Transaction { plans: Plans::Custom, ..self.transaction.clone() };
        self.begin_with(&transaction).await
    }

    /// Opens a transaction with other settings than the session's.
    ///
    /// # Errors
    /// As of [`Session::begin`].
    pub async fn begin_with(&mut self, transaction: &Transaction) -> Result<Run, Failure> {
        if let Some(open) = self.connection.take()
            && open.since.elapsed() < MAXIMUM_AGE
            && let Ok(run) = begin_on(open, transaction).await
        {
            return Ok(run);
        }
        // A pooler, a firewall or a restart may have ended the idle connection, which says nothing of the
        // database now; a new one does.
        let (connection, keeps_statements) = connect(&self.database).await?;
        let open = Open { connection, since: Instant::now(), keeps_statements, backend: None };
        begin_on(open, transaction).await
    }

    /// Ends the transaction of `run` and keeps its connection for the next, unless `failure` left it in doubt.
    pub async fn finish(&mut self, mut run: Run, failure: Option<&Failure>) {
        if failure.is_some_and(|failure| !failure.leaves_connection_usable()) {
            return;
        }
        if run.end().await.is_ok() {
            self.connection = Some(run.0);
        }
    }

    /// Ends the connection in an orderly way, so that the server's log shows no broken one.
    pub async fn close(&mut self) {
        if let Some(Open { connection, .. }) = self.connection.take() {
            connection.close().await;
        }
    }
}

// Through sqlx's own transaction guard the connection would be borrowed for the whole run; a
// failed run throws it away instead, so plain statements do.
async fn begin_on(mut open: Open, transaction: &Transaction) -> Result<Run, Failure> {
    let forget = if open.keeps_statements { "" } else { include_str!("forget_statements.sql") };
    let backend = open.connection.begin(transaction, forget).await?;
    if open.backend.replace(backend).is_some_and(|before| before != backend) {
        open.connection.clear_cached_statements().await?;
    }
    Ok(Run(open))
}

/// An open transaction. Its statements are run by the methods of [`Connection`].
pub struct Run(Open);

impl Run {
    async fn end(&mut self) -> Result<(), Failure> {
        if !self.0.keeps_statements {
            // Before the transaction ends, because a pooler then gives the session to another client.
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
