//! The connection of a reading command and its open transaction, which is read-only, of one instant, and has times in
//! the time zone that was asked for.
//!
//! `listed` answers a listing in the open transaction, `groups` in one transaction for each group of queues.

mod groups;
mod listed;

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

pub(super) use self::groups::{Merge, Page};
pub use self::listed::Part;
use super::arguments::Thresholds;
use super::scope::{self, Reach, Scope};
use crate::collect::queue_labels;
use crate::config::Config;
use crate::postgres::{Connection, Failure, Plans, Reason, Run, Session, Transaction};
use crate::schema::Schema;

/// What the server says of a character that its encoding lacks.
const NO_SUCH_CHARACTER: &str = "(SQLSTATE 22P05)";

pub struct Reader<'a> {
    pub config: &'a Config,
    pub schema: Schema,
    reach: Reach,
    /// The queues with a threshold of their own that can be queues of this database.
    pub(super) thresholds: Thresholds,
    /// Whether a filter has a character that no text of this database can have.
    matches_nothing: bool,
    timezone: &'a str,
    session: Session,
    /// The open transaction, if there is one.
    run: Option<Run>,
    /// The time that the database spent on transactions that have ended.
    spent: Duration,
    /// How many transactions the longest answer took.
    transactions: usize,
}

impl<'a> Reader<'a> {
    /// Connects and begins.
    ///
    /// # Errors
    /// Any failure of the database, a time zone that it does not know, and a schema without jobs.
    pub(super) async fn open(
        config: &'a Config,
        timezone: &'a str,
        scope: Scope<'_>,
    ) -> Result<Self, Failure> {
        Self::begin(config, new_session(config), None, timezone, scope).await
    }

    /// Begins on a session, whose connection a failure loses; `known` is what this database has, if that is known.
    ///
    /// # Errors
    /// As of [`Reader::open`].
    pub(super) async fn begin(
        config: &'a Config,
        mut session: Session,
        known: Option<Schema>,
        timezone: &'a str,
        scope: Scope<'_>,
    ) -> Result<Self, Failure> {
        let mut run = session.begin().await?;
        let name = &config.database.schema;
        let mut schema = match known {
            Some(schema) => schema,
            None => Schema::read(&mut run, name).await.map_err(|failure| {
                advised(Failure {
                    message: format!("cannot look at the schema {}: {}", name.quoted(), failure.message),
                    ..failure
                })
            })?,
        };
        schema.require_job_table(name)?;
        // A command has one session.
        schema.share_locks(1);
        let (reach, run) = if scope::is_limited(&schema) {
            session.finish(run, None).await;
            (scope::find(&mut session, &schema, scope).await?, None)
        } else {
            prepare(&mut run, &schema, timezone).await?;
            (Reach::AllQueues, Some(run))
        };
        let mut reader = Reader {
            config,
            schema,
            reach,
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

    /// Returns the open transaction, after opening one where there is none.
    ///
    /// # Errors
    /// Any failure of the database, and a time zone that it does not know.
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

    /// Notes the filters of a command: where one has a character that the database's encoding lacks, nothing matches.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn note_filters(&mut self, filters: &[&str]) -> Result<(), Failure> {
        for filter in filters {
            self.matches_nothing |= !self.can_hold(filter).await?;
        }
        Ok(())
    }

    /// Whether a text of the database can be this one.
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

    /// The row of a statement with one argument.
    async fn query(&mut self, sql: &'static str, argument: &str) -> Result<PgRow, Failure> {
        let statement = self.schema.name.statement(sql);
        self.run().await?.fetch_one(sqlx::query(statement).bind(argument)).await
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), Failure> {
        self.run().await?.execute(sqlx::raw_sql(statement)).await.map(drop)
    }

    /// Whether there is a queue of this name, or a job in one.
    ///
    /// # Errors
    /// Any failure of the database.
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
        Ok(self.query(include_str!("reader/queue_is_known.sql"), name).await?.try_get("known")?)
    }

    /// The time that the database spent on this so far.
    pub(super) fn busy(&self) -> Duration {
        self.spent + self.run.as_ref().map_or(Duration::ZERO, |run| run.busy())
    }

    /// How many transactions the longest answer took, each of an instant of its own.
    pub(super) fn transactions(&self) -> usize {
        self.transactions
    }

    /// Ends the transaction, after which the session can begin another.
    pub(super) async fn end(mut self) -> (Session, Schema) {
        self.end_transaction().await;
        (self.session, self.schema)
    }

    /// Ends the transaction and the connection.
    pub async fn close(self) {
        let (mut session, _) = self.end().await;
        session.close().await;
    }
}

/// A session whose statements are planned for their arguments: a filter that is not used costs nothing, and partitions
/// that are not needed are not locked.
pub(super) fn new_session(config: &Config) -> Session {
    let reading = Transaction::reading(config.collectors.timeout);
    Session::with(config.database.clone(), Transaction { plans: Plans::Custom, ..reading })
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

/// With what a person can do about it.
fn advised(mut failure: Failure) -> Failure {
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
