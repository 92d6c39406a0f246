//! The connection of the maintaining commands, the only one that may write. A second one holds a lock for as long as
//! the command runs, so that there are never two of them at work; it is a transaction's lock, which a pooler cannot
//! hand to somebody else, and without a snapshot it keeps vacuum from nothing.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::config::Config;
use crate::database::{Failure, Reason, connect};
use crate::schema::Schema;

/// Long enough to read every job of a large history once.
const PLAN_TIMEOUT: Duration = Duration::from_mins(30);

/// For a part that takes longer `--batch` is too large.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// Whoever holds a row or a table for longer is at work with it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    pub(super) schema: Schema,
    /// The role and database, as every run is logged with.
    pub(super) who: String,
    schema_name: String,
    connection: PgConnection,
    guard: PgConnection,
}

impl Writer {
    /// Connects, looks at the schema and takes the lock.
    ///
    /// # Errors
    /// Any failure of the database, a schema without jobs, and another run at work.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        let (mut connection, _) = connect(&config.database).await?;
        let (mut guard, _) = connect(&config.database).await?;
        run(&mut guard, "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        let name = &config.database.schema;
        let locked: bool = sqlx::query(include_str!("lock.sql"))
            .bind(name.as_str())
            .fetch_one(&mut guard)
            .await?
            .try_get("locked")?;
        if !locked {
            let message =
                format!("another marie-exporter maintain is at work on the schema {}", name.quoted());
            return Err(Failure::new(Reason::Lock, message));
        }
        let schema_name = name.quoted();
        run(&mut connection, &begin(&schema_name, "ISOLATION LEVEL REPEATABLE READ READ ONLY", PLAN_TIMEOUT))
            .await?;
        let schema = Schema::read(&mut connection, name).await?;
        schema.has_jobs(name)?;
        let who = sqlx::query(include_str!("who.sql")).fetch_one(&mut connection).await?.try_get("who")?;
        run(&mut connection, "ROLLBACK").await?;
        Ok(Writer { schema, who, schema_name, connection, guard })
    }

    /// Opens a transaction that reads one instant and cannot write.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_reading(&mut self) -> Result<&mut PgConnection, Failure> {
        let begin = begin(&self.schema_name, "ISOLATION LEVEL REPEATABLE READ READ ONLY", PLAN_TIMEOUT);
        self.begin(&begin).await
    }

    /// Opens a transaction for one batch, once it is sure that the lock is still ours.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_writing(&mut self) -> Result<&mut PgConnection, Failure> {
        run(&mut self.guard, "SELECT 1").await.map_err(|failure| Failure {
            message: format!("the lock against a second run is lost: {}", failure.message),
            ..failure
        })?;
        // Said for a role whose transactions are read-only by default; what it may do is another matter.
        let begin = begin(&self.schema_name, "ISOLATION LEVEL READ COMMITTED READ WRITE", BATCH_TIMEOUT);
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

    /// Runs a statement that PostgreSQL takes outside of transactions only, with no time-out: the caller's own words
    /// or the catalog's, quoted.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn alone(&mut self, statement: &str) -> Result<Vec<PgRow>, Failure> {
        run(&mut self.connection, "SET statement_timeout = 0; SET lock_timeout = 0").await?;
        Ok(sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(&mut self.connection).await?)
    }
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), Failure> {
    // Safe: constants, and the schema's name through the one function that quotes.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

fn begin(schema: &str, mode: &str, timeout: Duration) -> String {
    format!(
        "BEGIN {mode}; \
         SET LOCAL search_path = pg_catalog, {schema}, pg_temp; \
         SET LOCAL statement_timeout = {}; \
         SET LOCAL lock_timeout = {}; \
         SET LOCAL jit = off",
        timeout.as_millis(),
        LOCK_TIMEOUT.as_millis(),
    )
}
