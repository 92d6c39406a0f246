//! The connection of the maintaining commands, the only one that may write. A second one holds a lock for as long as
//! the command runs, so that there are never two of them at work; it is a transaction's lock, which a pooler cannot
//! hand to somebody else, and without a snapshot it keeps vacuum from nothing.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::config::Config;
use crate::database::{Failure, Reason, connect};
use crate::schema::Schema;

/// Long enough to read every job of a large history once.
const PLAN_TIMEOUT: Duration = Duration::from_mins(30);

/// For a part that takes longer `--batch` is too large.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// Whoever holds a table for longer is at work with it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A batch holds rows that others may want, and must not be what a deadlock is made of: it gives up long before the server
/// looks for one, which it does after a second.
const BATCH_LOCK_TIMEOUT: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    pub(super) schema: Schema,
    /// The role and database, as every run is logged with.
    pub(super) who: String,
    connection: PgConnection,
    guard: PgConnection,
}

impl Writer {
    /// Connects, looks at the schema and takes the lock. `executes` is whether the command is to change anything.
    ///
    /// # Errors
    /// Any failure of the database, a schema without jobs, a standby that is to be changed, and another run at work.
    pub(super) async fn open(config: &Config, executes: bool) -> Result<Self, Failure> {
        let name = &config.database.schema;
        let mut connection = connected(config).await?;
        let mut guard = connected(config).await?;
        run(&mut guard, "BEGIN").await?;
        let lock = sqlx::query(include_str!("lock.sql")).bind(name.as_str()).fetch_one(&mut guard);
        if !lock.await?.try_get::<bool, _>("locked")? {
            let message =
                format!("another marie-exporter maintain is at work on the schema {}", name.quoted());
            return Err(Failure::new(Reason::Other, message));
        }
        run(&mut connection, &begin(&READING)).await?;
        let schema = Schema::read(&mut connection, name).await?;
        schema.has_jobs(name)?;
        if executes && schema.in_recovery {
            let message =
                "this server is a standby, which can only be read; connect to the primary".to_owned();
            return Err(Failure::new(Reason::Other, message));
        }
        let who = sqlx::query(include_str!("who.sql")).fetch_one(&mut connection).await?.try_get("who")?;
        run(&mut connection, "ROLLBACK").await?;
        Ok(Writer { schema, who, connection, guard })
    }

    /// Says goodbye to the server, so that its log shows no broken connections.
    pub(super) async fn close(self) {
        for connection in [self.connection, self.guard] {
            // The process is about to end: an unheard goodbye changes nothing.
            let _ = tokio::time::timeout(Duration::from_millis(500), connection.close()).await;
        }
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
        let rows = query.fetch_all(&mut self.connection).await?;
        Ok(rows.iter().map(|row| row.try_get("lacking")).collect::<Result<_, sqlx::Error>>()?)
    }

    /// The refusal of whoever lacks these.
    pub(super) fn denied(&self, lacking: &[String]) -> Failure {
        let message = format!("the role of {} has no right of {}", self.who, lacking.join(", "));
        Failure::new(Reason::Permission, message)
    }

    /// Opens a transaction that reads one instant and cannot write.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_reading(&mut self) -> Result<&mut PgConnection, Failure> {
        let begin = begin(&READING);
        self.begin(&begin).await
    }

    /// Opens a transaction for one batch.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_batch(&mut self) -> Result<&mut PgConnection, Failure> {
        self.begin_writing(&BATCH).await
    }

    /// Opens a transaction for a change that is no batch, and may wait for a lock a little longer.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_change(&mut self) -> Result<&mut PgConnection, Failure> {
        self.begin_writing(&CHANGE).await
    }

    /// Once it is sure that the lock against a second run is still ours.
    async fn begin_writing(&mut self, manner: &Manner) -> Result<&mut PgConnection, Failure> {
        run(&mut self.guard, "SELECT 1").await.map_err(|failure| Failure {
            message: format!("the lock against a second run is lost: {}", failure.message),
            ..failure
        })?;
        // Said for a role whose transactions are read-only by default; what it may do is another matter.
        let begin = begin(manner);
        self.begin(&begin).await
    }

    async fn begin(&mut self, begin: &str) -> Result<&mut PgConnection, Failure> {
        run(&mut self.connection, begin).await?;
        Ok(&mut self.connection)
    }

    /// The instant so long ago, by the database's clock.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn cutoff(&mut self, age: Duration) -> Result<String, Failure> {
        let row = sqlx::query(include_str!("cutoff.sql"))
            .bind(age.as_secs_f64())
            .fetch_one(&mut self.connection)
            .await?;
        Ok(row.try_get("cutoff")?)
    }

    /// The connection, inside a transaction that was opened.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
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

    /// Runs a statement that PostgreSQL takes outside of transactions only, with no time-out: the caller's own words
    /// or the catalog's, quoted.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn alone(&mut self, statement: &str) -> Result<Vec<PgRow>, Failure> {
        // As in a transaction of ours, a role's default has no say.
        let settings =
            "SET statement_timeout = 0; SET lock_timeout = 0; SET default_transaction_read_only = off";
        run(&mut self.connection, settings).await?;
        Ok(sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(&mut self.connection).await?)
    }
}

/// A connection that waits for us as long as it takes, and that sees every row or none.
async fn connected(config: &Config) -> Result<PgConnection, Failure> {
    let (mut connection, _) = connect(&config.database).await?;
    sqlx::query(include_str!("session.sql")).fetch_all(&mut connection).await?;
    Ok(connection)
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), Failure> {
    // Safe: constants, and the schema's name through the one function that quotes.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// How a transaction behaves.
struct Manner {
    mode: &'static str,
    statement_timeout: Duration,
    lock_timeout: Duration,
    /// A batch goes by indexes, whatever the statistics of a table say that was empty a minute ago.
    scans: &'static str,
}

const READING: Manner = Manner {
    mode: "ISOLATION LEVEL REPEATABLE READ READ ONLY",
    statement_timeout: PLAN_TIMEOUT,
    lock_timeout: LOCK_TIMEOUT,
    scans: "on",
};

const CHANGE: Manner = Manner {
    mode: "ISOLATION LEVEL READ COMMITTED READ WRITE",
    statement_timeout: BATCH_TIMEOUT,
    lock_timeout: LOCK_TIMEOUT,
    scans: "on",
};

const BATCH: Manner = Manner { lock_timeout: BATCH_LOCK_TIMEOUT, scans: "off", ..CHANGE };

fn begin(manner: &Manner) -> String {
    let Manner { mode, statement_timeout, lock_timeout, scans } = manner;
    format!(
        "BEGIN {mode}; \
         SET LOCAL search_path = pg_catalog, pg_temp; \
         SET LOCAL statement_timeout = {}; \
         SET LOCAL lock_timeout = {}; \
         SET LOCAL enable_seqscan = {scans}; \
         SET LOCAL jit = off",
        statement_timeout.as_millis(),
        lock_timeout.as_millis(),
    )
}
