//! The connection of the maintaining commands, the only one that may write. A second one, the [`Watchdog`]'s, holds a
//! lock for as long as the command runs, so that two runs never overlap. It is a transaction's lock, which a pooler
//! cannot hand to another client. Its transaction holds no snapshot, so vacuum is not kept from anything.

use std::time::Duration;

use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, Execute, Postgres, Row};

use super::watchdog::Watchdog;
use crate::config::{Config, SchemaName};
use crate::postgres::{Connection, Failure, Mode, Plans, Reason, Transaction, connect_with};
use crate::schema::Schema;
use crate::terminal::escape::escaped;
use tokio_util::sync::CancellationToken;

/// Long enough to read every job of a large history once.
const PLAN_TIMEOUT: Duration = Duration::from_mins(30);

/// A smaller `--batch` makes shorter statements.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// A transaction that only reads waits behind a migration at most, and keeps no writer waiting.
const READ_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// While a statement that writes or changes a table waits for a lock, later writers can wait behind it. This is
/// well under the second after which the server looks for a deadlock and might end the scheduler's transaction.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// An index of a large table takes hours to build.
const INDEX_LIMIT: Duration = Duration::from_hours(24);

/// Settings from the login on. The role's own search path may hold a schema in which others can make functions. They
/// are no statements, because a pooler would hand a session that they have changed to another client.
const SETTINGS: [(&str, &str); 2] = [("search_path", "pg_catalog,pg_temp"), ("row_security", "off")];

/// What follows where a pooler is found.
const POOLER: &str = ": a pooler is between marie-exporter and PostgreSQL, and maintain changes settings of its session; \
                      connect it to PostgreSQL itself";

/// How long the server keeps a transaction that holds locks while no statement runs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a batch may go on after a signal.
const BATCH_PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    pub(super) schema: Schema,
    /// The role and database, as every run is logged with.
    pub(super) who: String,
    connection: Connection,
    watchdog: Watchdog,
}

impl Writer {
    /// Connects, looks at the schema and takes the lock. `executes` is whether the command is to change anything; a
    /// statement that runs when `shutdown` is cancelled is cancelled.
    ///
    /// # Errors
    /// Any failure of the database, a schema without jobs, a standby that is to be changed, and a lock that is taken.
    pub(super) async fn open(
        config: &Config,
        executes: bool,
        shutdown: CancellationToken,
    ) -> Result<Self, Failure> {
        let name = &config.database.schema;
        let mut connection = connected(config).await?;
        let mut guard = connected(config).await?;
        run(&mut guard, "BEGIN").await?;
        let lock = guard.fetch_one(sqlx::query(include_str!("lock.sql")).bind(name.as_str())).await?;
        if !lock.try_get::<bool, _>("locked")? {
            return Err(locked(&mut guard, name).await?);
        }
        let mut watchdog = Watchdog::new(guard, shutdown);
        watchdog.backend = connection.begin(&reading(), "").await?;
        let schema = Schema::read(&mut connection, name).await?;
        schema.require_job_table(name)?;
        schema.refuse_untrusted_code(&mut connection).await?;
        if executes && schema.in_recovery {
            let message =
                "this server is a standby, which can only be read; connect to the primary".to_owned();
            return Err(Failure::new(Reason::Other, message));
        }
        let who = connection.fetch_one(sqlx::query(include_str!("who.sql"))).await?.try_get("who")?;
        run(&mut connection, "ROLLBACK").await?;
        Ok(Writer { schema, who, connection, watchdog })
    }

    /// Ends both connections in an orderly way, so that the server's log shows no broken ones.
    pub(super) async fn close(self) {
        self.connection.close().await;
        self.watchdog.close().await;
    }

    /// Whether a signal has told the process to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.watchdog.is_interrupted()
    }

    /// Whether a signal has ended a statement.
    pub(super) fn was_cancelled(&self) -> bool {
        self.watchdog.was_cancelled()
    }

    /// Turns true when a signal tells the process to end.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.watchdog.shutdown()
    }

    /// Waits until a signal tells the process to end.
    pub(super) async fn interrupted(&mut self) {
        self.watchdog.interrupted().await;
    }

    /// Waits for `time`, or until a signal.
    pub(super) async fn pause(&mut self, time: Duration) {
        self.watchdog.pause(time).await;
    }

    /// The rights on tables that our role lacks of these, as `DELETE on job`.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn lacking(&mut self, rights: &[(&str, &str)]) -> Result<Vec<String>, Failure> {
        let (tables, privileges): (Vec<&str>, Vec<&str>) = rights.iter().copied().unzip();
        let name = self.schema.name.quoted();
        let qualified = |table: &&str| {
            if table.contains('.') { (*table).to_owned() } else { format!("{name}.{table}") }
        };
        let qualified: Vec<String> = tables.iter().map(qualified).collect();
        let query = sqlx::query(include_str!("rights.sql")).bind(tables).bind(privileges).bind(qualified);
        let rows = self.fetch_all(query).await?;
        Ok(rows.iter().map(|row| row.try_get("lacking")).collect::<Result<_, sqlx::Error>>()?)
    }

    /// The refusal of a role that lacks these.
    pub(super) fn denied(&self, lacking: &[String]) -> Failure {
        let message = format!("the role of {} has no right of {}", self.who, lacking.join(", "));
        Failure::new(Reason::Permission, message)
    }

    /// Opens a transaction that reads one instant and cannot write.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_reading(&mut self) -> Result<(), Failure> {
        self.begin(&reading(), Duration::ZERO).await
    }

    /// Opens a transaction for one batch.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_batch(&mut self) -> Result<(), Failure> {
        self.watchdog.check().await?;
        // A batch goes by indexes, whatever the statistics say of a table that was empty a minute ago.
        self.begin(&Transaction { may_scan: false, ..writing() }, BATCH_PATIENCE).await
    }

    /// Opens a transaction for a change that is no batch.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_change(&mut self) -> Result<(), Failure> {
        self.watchdog.check().await?;
        self.begin(&writing(), Duration::ZERO).await
    }

    async fn begin(&mut self, transaction: &Transaction, patience: Duration) -> Result<(), Failure> {
        self.watchdog.patience = patience;
        self.watchdog.backend = self.connection.begin(transaction, "").await?;
        Ok(())
    }

    /// The instant so long ago, by the database's clock.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn cutoff(&mut self, age: Duration) -> Result<String, Failure> {
        let statement = sqlx::query(include_str!("cutoff.sql")).bind(age.as_secs_f64());
        Ok(self.fetch_one(statement).await?.try_get("cutoff")?)
    }

    /// The rows of one statement in the open transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn fetch_all<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<PgRow>, Failure> {
        self.watchdog.watch(self.connection.fetch_all(statement)).await
    }

    /// The only row of one statement in the open transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn fetch_one<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgRow, Failure> {
        self.watchdog.watch(self.connection.fetch_one(statement)).await
    }

    /// The row of one statement in the open transaction, if there is one.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn fetch_optional<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Option<PgRow>, Failure> {
        self.watchdog.watch(self.connection.fetch_optional(statement)).await
    }

    /// Passes each row of one statement in the open transaction to `take`.
    ///
    /// # Errors
    /// Any failure of the database, and the first error of `take`.
    pub(super) async fn fetch_each<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
        take: impl FnMut(&PgRow) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.watchdog.watch(self.connection.fetch_each(statement, take)).await
    }

    /// Runs one statement in the open transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn execute<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, Failure> {
        self.watchdog.watch(self.connection.execute(statement)).await
    }

    /// # Errors
    /// Any failure of the database; whether it has committed is then unknown, as with any commit.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "COMMIT").await
    }

    /// # Errors
    /// Any failure of the database.
    pub(super) async fn roll_back(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "ROLLBACK").await
    }

    /// # Errors
    /// Any failure of the database.
    pub(super) async fn set_savepoint(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "SAVEPOINT here").await
    }

    /// # Errors
    /// Any failure of the database.
    pub(super) async fn roll_back_to_savepoint(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "ROLLBACK TO SAVEPOINT here").await
    }

    /// Runs one statement outside of a transaction, without a time-out: constant words, and names that are quoted.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn run_alone(&mut self, statement: &str, locks: Locks) -> Result<(), Failure> {
        let lock_timeout = match locks {
            Locks::Brief => LOCK_TIMEOUT.as_millis(),
            Locks::Concurrent => 0,
        };
        // A role's default for the transaction's mode does not apply, as in the other transactions.
        let settings = format!(
            "SET statement_timeout = 0; SET lock_timeout = {lock_timeout}; \
             SET default_transaction_read_only = off; SELECT pg_backend_pid() AS backend"
        );
        let row = self.connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
        self.watchdog.backend = row.try_get("backend")?;
        self.watchdog.patience = Duration::ZERO;
        self.connection.set_limit(INDEX_LIMIT);
        self.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(drop)
    }
}

/// What a statement outside of a transaction does to others while it waits for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    /// Writers wait behind it, so it gives up soon.
    Brief,
    /// It takes no lock that a writer or reader waits for, so it may wait for old transactions as long as they last.
    /// Giving up would leave an index that is not valid.
    Concurrent,
}

/// The refusal where the lock against a second run is taken.
async fn locked(guard: &mut Connection, schema: &SchemaName) -> Result<Failure, Failure> {
    let statement = sqlx::query(include_str!("lock_holder.sql")).bind(schema.as_str());
    let holders: Option<String> = guard.fetch_one(statement).await?.try_get("holders")?;
    let holders = holders.map_or_else(|| "a session that has just ended".to_owned(), |it| escaped(&it, 400));
    let message = format!(
        "another marie-exporter maintain is running on the schema {}: its lock is held by {holders}. If that is no \
         such run, end it with pg_terminate_backend",
        schema.quoted(),
    );
    Ok(Failure::new(Reason::Other, message))
}

/// A connection that has no time limit of the server's while it is idle, and that sees every row or none.
async fn connected(config: &Config) -> Result<Connection, Failure> {
    let connected = connect_with(&config.database, &SETTINGS).await;
    let (mut connection, _) = connected.map_err(|failure| {
        let is_refused = failure.message.contains("startup parameter");
        let advice = if is_refused { POOLER } else { "" };
        Failure { message: failure.message + advice, ..failure }
    })?;
    // SHOW calls no function, whatever the path is.
    let path = connection.fetch_one(sqlx::raw_sql("SHOW search_path")).await?;
    if path.try_get::<&str, _>(0)? != SETTINGS[0].1 {
        let message = format!("the settings of the login were dropped{POOLER}");
        return Err(Failure::new(Reason::Other, message));
    }
    connection.execute(sqlx::raw_sql(include_str!("session.sql"))).await?;
    Ok(connection)
}

async fn run(connection: &mut Connection, statement: &'static str) -> Result<(), Failure> {
    connection.execute(sqlx::raw_sql(statement)).await.map(drop)
}

fn reading() -> Transaction {
    Transaction {
        lock_timeout: READ_LOCK_TIMEOUT,
        // A dump or a pause may take longer than a server lets a transaction be idle.
        idle_timeout: Duration::ZERO,
        plans: Plans::Auto,
        ..Transaction::reading(PLAN_TIMEOUT)
    }
}

fn writing() -> Transaction {
    Transaction {
        mode: Mode::Write,
        statement_timeout: BATCH_TIMEOUT,
        lock_timeout: LOCK_TIMEOUT,
        idle_timeout: IDLE_TIMEOUT,
        ..reading()
    }
}
