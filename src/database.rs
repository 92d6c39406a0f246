//! A lane's session with the monitored database: one connection, opened when needed and thrown away when
//! in doubt, on which every run is one short read-only transaction. Also the one place that says what an
//! error of the database means to us ([`Reason`]).

mod certificate;
mod connect;
mod connection;
mod transaction;

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

pub(crate) use self::connect::{LONGEST as LONGEST_CONNECT, connect, connect_with, warnings};
pub use self::connection::Connection;
pub use self::transaction::{Mode, Plans, Transaction};
use crate::config::DatabaseConfig;
use crate::display_text::{MESSAGE_LIMIT, escaped};

/// A connection's plans and its cache of relations grow with the partitions that it has seen.
const MAXIMUM_AGE: Duration = Duration::from_hours(1);

/// The length of an error code, which a server that is none could exceed.
const SQLSTATE_LENGTH: usize = 5;

/// What follows when a prepared statement is not there, or is there before us.
const POOLER: &str = ": a pooler is between us and PostgreSQL that knows no prepared statements; add \
                      statement-cache-capacity=0 to the URL";

/// Why a run failed; the values of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Timeout,
    Lock,
    Conflict,
    Permission,
    SchemaChanged,
    Unavailable,
    /// It would take more locks than one transaction of ours may hold.
    LockLimit,
    /// The server has no memory left, usually none in its lock table.
    OutOfMemory,
    /// Events of the history are gone or cannot be told from those counted.
    HistoryLost,
    Other,
}

impl Reason {
    pub const ALL: [Reason; 10] = [
        Reason::Timeout,
        Reason::Lock,
        Reason::Conflict,
        Reason::Permission,
        Reason::SchemaChanged,
        Reason::Unavailable,
        Reason::LockLimit,
        Reason::OutOfMemory,
        Reason::HistoryLost,
        Reason::Other,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Reason::Timeout => "timeout",
            Reason::Lock => "lock",
            Reason::Conflict => "conflict",
            Reason::Permission => "permission",
            Reason::SchemaChanged => "schema_changed",
            Reason::Unavailable => "unavailable",
            Reason::LockLimit => "lock_limit",
            Reason::OutOfMemory => "out_of_memory",
            Reason::HistoryLost => "history_lost",
            Reason::Other => "other",
        }
    }

    /// Classes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_sqlstate(code: &str) -> Reason {
        match code {
            "57014" => Reason::Timeout,
            "55P03" => Reason::Lock,
            // A standby cancels what stands in the way of replay as a serialization failure.
            "40001" | "40P01" => Reason::Conflict,
            "42501" => Reason::Permission,
            "53200" => Reason::OutOfMemory,
            // Undefined table, column, function or object; a changed result type; a label that the enum lacks.
            "42P01" | "42703" | "42883" | "42704" | "42804" | "0A000" | "22P02" => Reason::SchemaChanged,
            // Too many connections, ended by an administrator or a time-out, no such database, login refused.
            "53300" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "3D000" => {
                Reason::Unavailable
            }
            _ if code.starts_with("08") || code.starts_with("28") => Reason::Unavailable,
            _ => Reason::Other,
        }
    }
}

/// A run that did not succeed, and what to tell the operator. Never holds a secret: only the server's
/// message and the driver's, neither of which repeats the connection's options.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Failure { reason, message: message.into() }
    }

    /// Whether the connection can still be used after it.
    fn leaves_connection_usable(&self) -> bool {
        matches!(
            self.reason,
            Reason::Timeout | Reason::Lock | Reason::Conflict | Reason::Permission | Reason::HistoryLost
        )
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let advice = if ["26000", "42P05"].contains(&&*code) { POOLER } else { "" };
                let message = escaped(database.message(), MESSAGE_LIMIT);
                let message = format!("{message} (SQLSTATE {}){advice}", escaped(&code, SQLSTATE_LENGTH));
                Failure::new(Reason::of_sqlstate(&code), message)
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Failure::new(Reason::Unavailable, escaped(&error.to_string(), MESSAGE_LIMIT))
            }
            _ => Failure::new(Reason::Other, escaped(&error.to_string(), MESSAGE_LIMIT)),
        }
    }
}

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
    let forget = if open.keeps_statements { "" } else { include_str!("database/forget_statements.sql") };
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
            // Before the transaction's end, after which the session is somebody else's.
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
