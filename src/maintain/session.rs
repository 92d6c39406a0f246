//! The database session of the maintaining commands, the only one that may write.
//!
//! A [`WriteSession`] has two connections, both opened by [`login`](super::login). The first runs the statements. The
//! second belongs to the [`Watchdog`], holds the maintain lock, and watches the first.

use std::time::Duration;

use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, Execute, Postgres, Row};
use tokio_util::sync::CancellationToken;

use super::login;
use super::watchdog::Watchdog;
use crate::config::Config;
use crate::postgres::{Connection, Failure, Mode, Plans, Reason, Transaction};
use crate::schema::Schema;

/// Time limit of a statement that plans. It suffices to read every job of a large history once.
const PLAN_TIMEOUT: Duration = Duration::from_mins(30);

/// Time limit of a statement that changes rows. A smaller `--batch` makes shorter statements.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a reading statement waits for a lock. It waits only for migrations, and no writer waits behind it.
const READ_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a statement that writes or changes a table waits for a lock.
///
/// Writers that come later may wait behind it. After one second the server looks for a deadlock and might end the
/// transaction of the scheduler, so this is well below.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Time limit for building an index, which takes hours for a large table.
const INDEX_TIMEOUT: Duration = Duration::from_hours(24);

/// How long the server keeps a transaction that holds locks while no statement runs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the statement of a batch may continue after a signal.
const BATCH_GRACE: Duration = Duration::from_secs(5);

pub(super) struct WriteSession {
    pub(super) schema: Schema,
    /// Role, database and server, for messages and the log.
    pub(super) identity: String,
    connection: Connection,
    watchdog: Watchdog,
}

/// How long a statement outside of a transaction waits for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockWait {
    /// [`LOCK_TIMEOUT`], because writers wait behind the statement.
    Short,
    /// Without limit. For statements behind which no reader or writer waits, such as `CREATE INDEX CONCURRENTLY`. A time-out
    /// would leave an invalid index.
    Unlimited,
}

impl WriteSession {
    /// Connects, takes the maintain lock and reads the schema.
    ///
    /// `executes` states whether the command will change anything. When `shutdown` is cancelled, the running statement is
    /// cancelled too.
    ///
    /// # Errors
    /// Also if the schema has no jobs, the server is a standby and `executes` is set, or another session holds the lock.
    pub(super) async fn open(
        config: &Config,
        executes: bool,
        shutdown: CancellationToken,
    ) -> Result<Self, Failure> {
        let name = &config.database.schema;
        let mut connection = login::connect(config).await?;
        let mut guard = login::connect(config).await?;
        login::lock(&mut guard, name).await?;
        let mut watchdog = Watchdog::new(guard, shutdown);
        watchdog.backend = connection.begin(&read_options(), "").await?;
        let schema = Schema::read(&mut connection, name).await?;
        schema.require_job_table(name)?;
        schema.refuse_untrusted_code(&mut connection).await?;
        if executes && schema.in_recovery {
            let message =
                "this server is a standby, which can only be read; connect to the primary".to_owned();
            return Err(Failure::new(Reason::Other, message));
        }
        let identity = connection.fetch_one(sqlx::query(include_str!("identity.sql"))).await?;
        let identity = identity.try_get("identity")?;
        run(&mut connection, "ROLLBACK").await?;
        Ok(WriteSession { schema, identity, connection, watchdog })
    }

    /// Closes both connections with the protocol's message, so that the server does not log broken connections.
    pub(super) async fn close(self) {
        self.connection.close().await;
        self.watchdog.close().await;
    }

    /// Returns whether the process has received a signal to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.watchdog.is_interrupted()
    }

    /// Returns whether a statement was cancelled after a signal.
    pub(super) fn was_cancelled(&self) -> bool {
        self.watchdog.was_cancelled()
    }

    /// Returns the token that a signal to end cancels.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.watchdog.shutdown()
    }

    /// Waits for `time`, or until a signal.
    pub(super) async fn pause(&mut self, time: Duration) {
        self.watchdog.pause(time).await;
    }

    /// Returns those of the given rights, each a table with a privilege, that the role lacks, such as `DELETE on job`.
    pub(super) async fn missing_rights(&mut self, rights: &[(&str, &str)]) -> Result<Vec<String>, Failure> {
        let (tables, privileges): (Vec<&str>, Vec<&str>) = rights.iter().copied().unzip();
        let schema = self.schema.name.quoted();
        let qualify = |table: &&str| {
            if table.contains('.') { (*table).to_owned() } else { format!("{schema}.{table}") }
        };
        let qualified: Vec<String> = tables.iter().map(qualify).collect();
        let query =
            sqlx::query(include_str!("missing_rights.sql")).bind(tables).bind(privileges).bind(qualified);
        let rows = self.fetch_all(query).await?;
        Ok(rows.iter().map(|row| row.try_get("missing")).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Returns the failure for a role that lacks these rights.
    pub(super) fn permission_failure(&self, missing: &[String]) -> Failure {
        let message = format!("the role of {} lacks {}", self.identity, missing.join(", "));
        Failure::new(Reason::Permission, message)
    }

    /// Begins a read-only transaction that sees one instant.
    pub(super) async fn begin_read(&mut self) -> Result<(), Failure> {
        self.begin(&read_options(), Duration::ZERO).await
    }

    /// Begins a transaction for one batch.
    pub(super) async fn begin_batch(&mut self) -> Result<(), Failure> {
        self.watchdog.check().await?;
        // Sequential scans are off, because statistics may still describe a table that was empty a minute ago.
        self.begin(&Transaction { may_scan: false, ..write_options() }, BATCH_GRACE).await
    }

    /// Begins a transaction for a change that is not a batch.
    pub(super) async fn begin_change(&mut self) -> Result<(), Failure> {
        self.watchdog.check().await?;
        self.begin(&write_options(), Duration::ZERO).await
    }

    async fn begin(&mut self, transaction: &Transaction, grace: Duration) -> Result<(), Failure> {
        self.watchdog.grace = grace;
        self.watchdog.backend = self.connection.begin(transaction, "").await?;
        Ok(())
    }

    /// Returns the instant that lies `age` in the past by the database's clock.
    pub(super) async fn cutoff(&mut self, age: Duration) -> Result<String, Failure> {
        let statement = sqlx::query(include_str!("cutoff.sql")).bind(age.as_secs_f64());
        Ok(self.fetch_one(statement).await?.try_get("cutoff")?)
    }

    /// Runs a statement in the open transaction and returns its rows.
    pub(super) async fn fetch_all<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<PgRow>, Failure> {
        self.watchdog.watch(self.connection.fetch_all(statement)).await
    }

    /// Runs a statement in the open transaction and returns its only row.
    pub(super) async fn fetch_one<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgRow, Failure> {
        self.watchdog.watch(self.connection.fetch_one(statement)).await
    }

    /// Runs a statement in the open transaction and returns its row, if it has one.
    pub(super) async fn fetch_optional<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Option<PgRow>, Failure> {
        self.watchdog.watch(self.connection.fetch_optional(statement)).await
    }

    /// Runs a statement in the open transaction and passes each row to `take`.
    pub(super) async fn fetch_each<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
        take: impl FnMut(&PgRow) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.watchdog.watch(self.connection.fetch_each(statement, take)).await
    }

    /// Runs a statement in the open transaction.
    pub(super) async fn execute<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, Failure> {
        self.watchdog.watch(self.connection.execute(statement)).await
    }

    /// Commits the open transaction. After an error it is unknown whether the server has committed.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "COMMIT").await
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "ROLLBACK").await
    }

    pub(super) async fn set_savepoint(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "SAVEPOINT step").await
    }

    pub(super) async fn roll_back_to_savepoint(&mut self) -> Result<(), Failure> {
        run(&mut self.connection, "ROLLBACK TO SAVEPOINT step").await
    }

    /// Runs a statement outside of a transaction and without the server's time limit. `statement` is constant text with
    /// quoted names.
    pub(super) async fn run_outside_transaction(
        &mut self,
        statement: &str,
        wait: LockWait,
    ) -> Result<(), Failure> {
        let lock_timeout = match wait {
            LockWait::Short => LOCK_TIMEOUT.as_millis(),
            LockWait::Unlimited => 0,
        };
        // As in the other transactions, the role's default for read-only transactions does not apply.
        let settings = format!(
            "SET statement_timeout = 0; SET lock_timeout = {lock_timeout}; \
             SET default_transaction_read_only = off; SELECT pg_backend_pid() AS backend"
        );
        let row = self.connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
        self.watchdog.backend = row.try_get("backend")?;
        self.watchdog.grace = Duration::ZERO;
        self.connection.set_limit(INDEX_TIMEOUT);
        self.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(drop)
    }
}

async fn run(connection: &mut Connection, statement: &'static str) -> Result<(), Failure> {
    connection.execute(sqlx::raw_sql(statement)).await.map(drop)
}

fn read_options() -> Transaction {
    Transaction {
        lock_timeout: READ_LOCK_TIMEOUT,
        // A dump or a pause may last longer than the server lets a transaction be idle.
        idle_timeout: Duration::ZERO,
        plans: Plans::Auto,
        ..Transaction::reading(PLAN_TIMEOUT)
    }
}

fn write_options() -> Transaction {
    Transaction {
        mode: Mode::Write,
        statement_timeout: BATCH_TIMEOUT,
        lock_timeout: LOCK_TIMEOUT,
        idle_timeout: IDLE_TIMEOUT,
        ..read_options()
    }
}
