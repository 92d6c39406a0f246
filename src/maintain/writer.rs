//! The connection of the maintaining commands, the only one that may write. A second one holds a lock for as long as
//! the command runs, so that there are never two of them at work; it is a transaction's lock, which a pooler cannot
//! hand to somebody else, and without a snapshot it keeps vacuum from nothing.

use std::time::Duration;

use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, Execute, Postgres, Row};

use crate::config::Config;
use crate::database::{Connection, Failure, Mode, Plans, Reason, Transaction, connect};
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

/// An index of a large table takes hours to build.
const ALONE_LIMIT: Duration = Duration::from_hours(24);

pub(super) struct Writer {
    pub(super) schema: Schema,
    /// The role and database, as every run is logged with.
    pub(super) who: String,
    connection: Connection,
    guard: Connection,
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
        let lock = guard.fetch_one(sqlx::query(include_str!("lock.sql")).bind(name.as_str())).await?;
        if !lock.try_get::<bool, _>("locked")? {
            let message =
                format!("another marie-exporter maintain is at work on the schema {}", name.quoted());
            return Err(Failure::new(Reason::Other, message));
        }
        connection.begin(&reading(), "").await?;
        let schema = Schema::read(&mut connection, name).await?;
        schema.has_jobs(name)?;
        schema.refuse_untrusted_code(&mut connection).await?;
        if executes && schema.in_recovery {
            let message =
                "this server is a standby, which can only be read; connect to the primary".to_owned();
            return Err(Failure::new(Reason::Other, message));
        }
        let who = connection.fetch_one(sqlx::query(include_str!("who.sql"))).await?.try_get("who")?;
        run(&mut connection, "ROLLBACK").await?;
        Ok(Writer { schema, who, connection, guard })
    }

    /// Ends both connections in an orderly way, so that the server's log shows no broken ones.
    pub(super) async fn close(self) {
        for connection in [self.connection, self.guard] {
            connection.close().await;
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
        let rows = self.fetch_all(query).await?;
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
    pub(super) async fn begin_reading(&mut self) -> Result<(), Failure> {
        self.begin(reading()).await
    }

    /// Opens a transaction for one batch.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_batch(&mut self) -> Result<(), Failure> {
        let transaction = Transaction {
            lock_timeout: BATCH_LOCK_TIMEOUT,
            // A batch goes by indexes, whatever the statistics say of a table that was empty a minute ago.
            may_scan: false,
            ..writing()
        };
        self.begin_writing(transaction).await
    }

    /// Opens a transaction for a change that is no batch, and may wait for a lock a little longer.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn begin_change(&mut self) -> Result<(), Failure> {
        self.begin_writing(writing()).await
    }

    /// Once it is sure that the lock against a second run is still ours.
    async fn begin_writing(&mut self, transaction: Transaction) -> Result<(), Failure> {
        run(&mut self.guard, "SELECT 1").await.map_err(|failure| Failure {
            message: format!("the lock against a second run is lost: {}", failure.message),
            ..failure
        })?;
        self.begin(transaction).await
    }

    async fn begin(&mut self, transaction: Transaction) -> Result<(), Failure> {
        self.connection.begin(&transaction, "").await.map(drop)
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
        self.connection.fetch_all(statement).await
    }

    /// The only row of one statement in the open transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn fetch_one<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgRow, Failure> {
        self.connection.fetch_one(statement).await
    }

    /// The row of one statement in the open transaction, if there is one.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn fetch_optional<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Option<PgRow>, Failure> {
        self.connection.fetch_optional(statement).await
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
        self.connection.fetch_each(statement, take).await
    }

    /// Runs one statement in the open transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn execute<'q>(
        &mut self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, Failure> {
        self.connection.execute(statement).await
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
        self.connection.set_limit(ALONE_LIMIT);
        self.connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(statement))).await
    }
}

/// A connection that waits for us as long as it takes, and that sees every row or none.
async fn connected(config: &Config) -> Result<Connection, Failure> {
    let (mut connection, _) = connect(&config.database).await?;
    connection.execute(sqlx::query(include_str!("session.sql"))).await?;
    Ok(connection)
}

async fn run(connection: &mut Connection, statement: &'static str) -> Result<(), Failure> {
    connection.execute(sqlx::raw_sql(statement)).await.map(drop)
}

fn reading() -> Transaction {
    Transaction {
        statement_timeout: PLAN_TIMEOUT,
        lock_timeout: LOCK_TIMEOUT,
        // A dump or a pause may take longer than a server lets a transaction be idle.
        idle_timeout: Duration::ZERO,
        plans: Plans::Auto,
        ..Transaction::reading(PLAN_TIMEOUT)
    }
}

/// For a role whose transactions are read-only by default as well; what it may do is another matter.
fn writing() -> Transaction {
    Transaction { mode: Mode::Write, statement_timeout: BATCH_TIMEOUT, ..reading() }
}
