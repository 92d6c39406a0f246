//! A lane's session with the monitored database: one connection, opened when needed and thrown away when
//! in doubt, on which every run is one short read-only transaction. Also the one place that says what an
//! error of the database means to us ([`Reason`]).

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

use crate::config::{DatabaseConfig, Target};
use crate::display_text::{MESSAGE_LIMIT, escaped};

/// Lock queues are first come, first served: while we wait behind a TRUNCATE or a migration, that
/// statement's own followers wait as well, so we give up early and come back with the next run.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long opening a connection may take, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The server's own time-outs bound a statement; this much later we believe that nobody is there.
const GRACE: Duration = Duration::from_secs(2);

/// More than there are queries, whatever the URL says: whether they stay prepared is [`Open::keeps_statements`].
const STATEMENTS: usize = 100;

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
    /// Events of the history are gone or cannot be told from those counted.
    HistoryLost,
    Other,
}

impl Reason {
    pub const ALL: [Reason; 8] = [
        Reason::Timeout,
        Reason::Lock,
        Reason::Conflict,
        Reason::Permission,
        Reason::SchemaChanged,
        Reason::Unavailable,
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
    begin: String,
    patience: Duration,
    connection: Option<Open>,
}

/// A connection and what is known of it.
struct Open {
    connection: PgConnection,
    since: Instant,
    /// Whether statements stay prepared on it from run to run.
    keeps_statements: bool,
    /// The server's process behind it in the last run. Behind a pooler that gives each transaction the session that
    /// is free it changes, and our statements are not there any more: under their names may be others.
    backend: Option<i32>,
}

impl Session {
    /// `statement_timeout` bounds each single statement.
    pub fn new(database: DatabaseConfig, statement_timeout: Duration) -> Self {
        Session {
            begin: begin_statement(statement_timeout),
            database,
            patience: statement_timeout + GRACE,
            connection: None,
        }
    }

    /// Opens a read-only transaction that sees one instant of the database, connecting first where needed.
    ///
    /// The connection is the session's only one: it comes back with [`Session::finish`], and a run that
    /// does not bring it back leaves the next one to open another.
    ///
    /// # Errors
    /// [`Reason::Unavailable`] where the database cannot be reached or does not answer.
    pub async fn begin(&mut self) -> Result<Run, Failure> {
        if let Some(open) = self.connection.take()
            && open.since.elapsed() < MAXIMUM_AGE
            && let Ok(run) = self.begin_on(open).await
        {
            return Ok(run);
        }
        // A pooler, a firewall or a restart may have ended the idle connection, which says nothing of the
        // database now; a new one does.
        let open = self.connect().await?;
        self.begin_on(open).await
    }

    async fn begin_on(&self, mut open: Open) -> Result<Run, Failure> {
        // Through sqlx's own transaction guard the connection would be borrowed for the whole run; a
        // failed run throws it away instead, so plain statements do.
        let mut begin = self.begin.clone();
        if !open.keeps_statements {
            begin += include_str!("database/forget_statements.sql");
        }
        let begin = sqlx::raw_sql(AssertSqlSafe(begin)).fetch_one(&mut open.connection);
        let backend = answered(self.patience, begin).await?.try_get("backend")?;
        if open.backend.replace(backend).is_some_and(|before| before != backend) {
            answered(self.patience, open.connection.clear_cached_statements()).await?;
        }
        Ok(Run { open, patience: self.patience, busy: Duration::ZERO })
    }

    /// Ends the transaction of `run` and keeps its connection for the next, unless `failure` left it in doubt.
    pub async fn finish(&mut self, mut run: Run, failure: Option<&Failure>) {
        if failure.is_some_and(|failure| !failure.leaves_connection_usable()) {
            return;
        }
        if self.end(&mut run.open).await.is_ok() {
            self.connection = Some(run.open);
        }
    }

    async fn end(&self, open: &mut Open) -> Result<(), Failure> {
        if !open.keeps_statements {
            // Before the transaction's end, after which the session is somebody else's.
            answered(self.patience, open.connection.clear_cached_statements()).await?;
        }
        answered(self.patience, sqlx::raw_sql("ROLLBACK").execute(&mut open.connection)).await?;
        Ok(())
    }

    /// Says goodbye to the server, so that its log shows no broken connection.
    pub async fn close(&mut self) {
        if let Some(Open { connection, .. }) = self.connection.take() {
            // The process is about to end: an unheard goodbye changes nothing.
            let _ = tokio::time::timeout(Duration::from_millis(500), connection.close()).await;
        }
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let (connection, keeps_statements) = connect(&self.database).await?;
        Ok(Open { connection, since: Instant::now(), keeps_statements, backend: None })
    }
}

/// Opens a connection, and says whether statements stay prepared on it.
///
/// # Errors
/// [`Reason::Unavailable`], with the place that does not answer and why.
pub(crate) async fn connect(database: &DatabaseConfig) -> Result<(PgConnection, bool), Failure> {
    let unavailable = |message| Failure::new(Reason::Unavailable, message);
    // The URL's file may be a pipe or lie on a disk that hangs, and must not hold the HTTP side's thread.
    let database = database.clone();
    let target = tokio::task::spawn_blocking(move || database.connect_options());
    let Target { options, keeps_statements } = match tokio::time::timeout(CONNECT_TIMEOUT, target).await {
        Ok(Ok(target)) => target.map_err(|error| unavailable(error.to_string()))?,
        Ok(Err(error)) => return Err(Failure::new(Reason::Other, error.to_string())),
        Err(_) => {
            return Err(unavailable("the file of the database URL cannot be read to its end".to_owned()));
        }
    };
    let socket = options.get_socket().map(|folder| folder.display().to_string());
    let host = socket.unwrap_or_else(|| options.get_host().to_owned());
    let place = format!("{host}:{}", options.get_port());
    let explain = |why: String| unavailable(format!("cannot connect to PostgreSQL at {place}: {why}"));
    let options = options.statement_cache_capacity(STATEMENTS);
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => Ok((connection, keeps_statements)),
        Ok(Err(error)) => Err(explain(Failure::from(error).message)),
        Err(_) => Err(explain(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

/// An open transaction, and how long its statements took.
pub struct Run {
    open: Open,
    patience: Duration,
    busy: Duration,
}

impl Run {
    /// Runs `work`, which is one statement, on the transaction's connection, adding its time to
    /// [`Run::busy`].
    ///
    /// # Errors
    /// What `work` returned, or [`Reason::Unavailable`] when the server is long past its own time-out.
    pub async fn query<T, E: Into<Failure>>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, Failure> {
        self.queries(1, work).await
    }

    /// The same for several statements, each of which may take as long as the server allows it.
    ///
    /// # Errors
    /// As of [`Run::query`].
    pub async fn queries<T, E: Into<Failure>>(
        &mut self,
        statements: u32,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let outcome =
            answered(self.patience.saturating_mul(statements), work(&mut self.open.connection)).await;
        self.busy += started.elapsed();
        outcome
    }

    /// The time that the database spent on our statements, network included.
    pub fn busy(&self) -> Duration {
        self.busy
    }
}

/// Waits for an answer that the server's own time-outs should have made come long ago. Giving up means that
/// the network or the server is gone; the caller then drops the connection, for the statement may still run.
async fn answered<T, E: Into<Failure>>(
    patience: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, answer).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(_) => Err(Failure::new(
            Reason::Unavailable,
            format!("the database has not answered for {} s", patience.as_secs()),
        )),
    }
}

/// Everything that a run sets, and which process of the server it talks to, in one round trip. SET LOCAL, because PgBouncer drops start-up options. The search
/// path holds no schema in which another role may create functions, operators or tables: statements name Marie's schema.
/// It is the same text for each run: another path would plan every statement again.
fn begin_statement(statement_timeout: Duration) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
         SET LOCAL search_path = pg_catalog, pg_temp; \
         SET LOCAL statement_timeout = {}; \
         SET LOCAL lock_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}; \
         SET LOCAL max_parallel_workers_per_gather = 0; \
         SET LOCAL jit = off; \
         SET LOCAL plan_cache_mode = force_generic_plan; \
         SELECT pg_backend_pid() AS backend;\n",
        statement_timeout.as_millis(),
        LOCK_TIMEOUT.min(statement_timeout / 2).as_millis(),
        (statement_timeout + GRACE).as_millis(),
    )
}
