//! The session of a reading command: one connection and its open read-only transaction, in which times are printed in the
//! requested time zone.
//!
//! `fetch` runs a listing in the open transaction. `groups` runs it in one transaction for each group of queues, if one
//! transaction for all would take too many locks; `scope` decides that.

mod fetch;
mod groups;

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

pub(super) use self::fetch::Fetched;
pub(super) use self::groups::{Merge, Page};
use super::bind::Thresholds;
use super::scope::{self, Partitions, Scope};
use crate::collect::queue_labels;
use crate::config::Config;
use crate::postgres::{Connection, Failure, Plans, Reason, Run, Session, Transaction};
use crate::schema::Schema;

/// How the server reports a character that the database's encoding lacks.
const NO_SUCH_CHARACTER: &str = "(SQLSTATE 22P05)";

pub(super) struct Reader<'a> {
    pub(super) config: &'a Config,
    pub(super) schema: Schema,
    partitions: Partitions,
    /// Without thresholds of queues whose names the database's encoding cannot hold.
    pub(super) thresholds: Thresholds,
    /// Whether a filter has a character that the database's encoding lacks.
    matches_nothing: bool,
    timezone: &'a str,
    session: Session,
    /// The open transaction, if there is one.
    run: Option<Run>,
    /// The database's time for transactions that have ended.
    spent: Duration,
    /// The most transactions that one listing took.
    transactions: usize,
}

impl<'a> Reader<'a> {
    /// Connects, reads the schema and begins a transaction.
    ///
    /// # Errors
    /// Besides failures of the database: an unknown time zone, and a schema without jobs.
    pub(super) async fn open(
        config: &'a Config,
        timezone: &'a str,
        scope: Scope<'_>,
    ) -> Result<Self, Failure> {
        Self::begin(config, new_session(config, config.collectors.timeout), None, timezone, scope).await
    }

    /// Begins a transaction on a session. `known` is the schema, if the caller has read it recently.
    ///
    /// # Errors
    /// As of [`Reader::open`]. The session is dropped then, because its connection may be broken.
    pub(super) async fn begin(
        config: &'a Config,
        mut session: Session,
        known: Option<Schema>,
        timezone: &'a str,
        scope: Scope<'_>,
    ) -> Result<Self, Failure> {
        let mut run = session.begin().await?;
        let name = &config.database.schema;
        let schema = match known {
            Some(schema) => schema,
            None => Schema::read(&mut run, name).await.map_err(|failure| {
                with_advice(Failure {
                    message: format!("cannot read the schema {}: {}", name.quoted(), failure.message),
                    ..failure
                })
            })?,
        };
        schema.require_job_table(name)?;
        let (partitions, run) = if scope::is_limited(&schema) {
            session.finish(run, None).await;
            (scope::find(&mut session, &schema, scope).await?, None)
        } else {
            prepare(&mut run, &schema, timezone).await?;
            (Partitions::All, Some(run))
        };
        let mut reader = Reader {
            config,
            schema,
            partitions,
            thresholds: Thresholds::new(config.stuck_after),
            matches_nothing: false,
            timezone,
            session,
            run,
            spent: Duration::ZERO,
            transactions: 1,
        };
        for (queue, threshold) in &config.stuck_after_by_queue {
            if reader.can_hold(queue).await? {
                reader.thresholds.push(queue, *threshold);
            }
        }
        Ok(reader)
    }

    /// Returns the open transaction. Begins one if none is open.
    pub(super) async fn run(&mut self) -> Result<&mut Run, Failure> {
        let run = if let Some(run) = self.run.take() {
            run
        } else {
            let mut run = self.session.begin().await?;
            prepare(&mut run, &self.schema, self.timezone).await?;
            run
        };
        Ok(self.run.insert(run))
    }

    /// Ends the open transaction, which releases its locks.
    async fn end_transaction(&mut self) {
        if let Some(run) = self.run.take() {
            self.spent += run.busy();
            self.session.finish(run, None).await;
        }
    }

    /// Notes the texts that rows have to match. If the database's encoding cannot hold one of them, no row matches, and
    /// no statement is sent.
    pub(super) async fn note_filters(&mut self, filters: &[&str]) -> Result<(), Failure> {
        for filter in filters {
            self.matches_nothing |= !self.can_hold(filter).await?;
        }
        Ok(())
    }

    /// Whether the database's encoding has all characters of a text.
    async fn can_hold(&mut self, text: &str) -> Result<bool, Failure> {
        if self.schema.can_receive(text) {
            return Ok(true);
        }
        self.execute("SAVEPOINT text").await?;
        match self.query("select $1::text", text).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.message.contains(NO_SUCH_CHARACTER) => {
                self.execute("ROLLBACK TO SAVEPOINT text").await?;
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Returns the row of a statement with one parameter.
    async fn query(&mut self, sql: &'static str, argument: &str) -> Result<PgRow, Failure> {
        let statement = self.schema.name.statement(sql);
        self.run().await?.fetch_one(sqlx::query(statement).bind(argument)).await
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), Failure> {
        self.run().await?.execute(sqlx::raw_sql(statement)).await.map(drop)
    }

    /// Whether the table of queues has a queue, or a job is in it.
    pub(super) async fn knows_queue(&mut self, name: &str) -> Result<bool, Failure> {
        if self.matches_nothing {
            return Ok(false);
        }
        if self.schema.lack(&queue_labels::NAMES_IN_QUEUE).is_none() {
            let row = self.query(include_str!("reader/queue_has_row.sql"), name).await?;
            if row.try_get("known")? {
                return Ok(true);
            }
        }
        Ok(self.query(include_str!("reader/queue_has_jobs.sql"), name).await?.try_get("known")?)
    }

    /// Returns the time that the database has spent on this reader.
    pub(super) fn busy(&self) -> Duration {
        self.spent + self.run.as_ref().map_or(Duration::ZERO, |run| run.busy())
    }

    /// Returns the most transactions that one listing took. Each transaction has its own instant.
    pub(super) fn transactions(&self) -> usize {
        self.transactions
    }

    /// Ends the transaction, so that the session can begin another.
    pub(super) async fn end(mut self) -> (Session, Schema) {
        self.end_transaction().await;
        (self.session, self.schema)
    }

    /// Ends the transaction and closes the connection.
    pub(super) async fn close(self) {
        let (mut session, _) = self.end().await;
        session.close().await;
    }
}

/// Returns a session that plans each statement for its arguments. Then a filter that is NULL costs nothing, and partitions
/// that the arguments exclude are not locked.
pub(super) fn new_session(config: &Config, timeout: Duration) -> Session {
    let reading = Transaction::reading(timeout);
    Session::with_transaction(config.database.clone(), Transaction { plans: Plans::Custom, ..reading })
}

async fn prepare(connection: &mut Connection, schema: &Schema, timezone: &str) -> Result<(), Failure> {
    schema.permit_policies(connection).await?;
    set_time_zone(connection, timezone).await
}

async fn set_time_zone(connection: &mut Connection, timezone: &str) -> Result<(), Failure> {
    let statement = sqlx::query(include_str!("reader/session.sql")).bind(timezone);
    match connection.fetch_one(statement).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(Failure { message: format!("--timezone: {}", failure.message), ..failure }),
    }
}

/// Adds what the user can do about a failure.
fn with_advice(mut failure: Failure) -> Failure {
    let advice = match failure.reason {
        Reason::Timeout => "; a longer --collector.timeout gives it more time",
        Reason::Lock => {
            "; another session, such as a migration, holds a lock on a table of the scheduler: try again later, or find \
             the session in pg_locks"
        }
        _ => "",
    };
    failure.message += advice;
    failure
}
