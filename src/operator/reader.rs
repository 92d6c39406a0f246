//! The transaction of a reading command: read-only and of one instant, like a collector's, with the times in the time
//! zone that was asked for, and what this database has.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Row};

use super::listing::{Listing, Rows};
use super::scope::{self, Scope};
use crate::collector::Query;
use crate::config::{Config, Output};
use crate::database::{Failure, Plans, Reason, Run, Session, Transaction};
use crate::queues;
use crate::schema::{Lack, Schema};

/// What the server says of a character that its encoding lacks.
const NO_SUCH_CHARACTER: &str = "(SQLSTATE 22P05)";

pub struct Reader<'a> {
    pub config: &'a Config,
    pub schema: Schema,
    /// The queues whose jobs are read, where the locks of all partitions are too many.
    queues: Option<Vec<String>>,
    /// The queues with a threshold of their own that can be queues of this database, and these in seconds.
    pub(super) thresholds: (Vec<String>, Vec<f64>),
    /// Whether a filter has a character that no text of this database can have.
    matches_nothing: bool,
    session: Session,
    run: Run,
}

/// What one part of an answer came to.
#[derive(Debug)]
pub enum Part {
    Rows(Rows),
    /// This database has no such thing.
    NotHere,
    /// Why it could not be read.
    Failed(String),
}

impl<'a> Reader<'a> {
    /// Connects and begins.
    ///
    /// # Errors
    /// Any failure of the database, a time zone that it does not know, and a schema without jobs.
    pub(super) async fn open(config: &'a Config, timezone: &str, scope: Scope<'_>) -> Result<Self, Failure> {
        let reading = Transaction::reading(config.collectors.timeout);
        // A filter that is not used then costs nothing.
        let session = Session::with(config.database.clone(), Transaction { plans: Plans::Custom, ..reading });
        let mut reader = Self::begin(config, session, None, scope).await?;
        reader
            .query(include_str!("reader/session.sql"), timezone)
            .await
            .map_err(|failure| Failure { message: format!("--timezone: {}", failure.message), ..failure })?;
        Ok(reader)
    }

    /// Begins on a session, whose connection a failure loses; `known` is what this database has, if that is known.
    ///
    /// # Errors
    /// Any failure of the database, and a schema without jobs.
    pub(super) async fn begin(
        config: &'a Config,
        mut session: Session,
        known: Option<Schema>,
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
        schema.has_jobs(name)?;
        // A command has one session.
        schema.share_locks(1);
        let mut queues = None;
        if scope::is_limited(&schema) {
            session.finish(run, None).await;
            queues = Some(scope::find(&mut session, &schema, scope).await?);
            run = session.begin().await?;
        }
        schema.permit_policies(&mut run).await?;
        let mut reader = Reader {
            config,
            schema,
            queues,
            thresholds: (Vec::new(), Vec::new()),
            matches_nothing: false,
            session,
            run,
        };
        for (queue, threshold) in &config.stuck_after_by_queue {
            if reader.can_hold(queue).await? {
                reader.thresholds.0.push(queue.clone());
                reader.thresholds.1.push(threshold.as_secs_f64());
            }
        }
        Ok(reader)
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
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn query(&mut self, sql: &'static str, argument: &str) -> Result<PgRow, Failure> {
        let statement = self.schema.name.statement(sql);
        self.run.fetch_one(sqlx::query(statement).bind(argument)).await
    }

    /// Whether there is a queue of this name, or a job in one.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn knows_queue(&mut self, name: &str) -> Result<bool, Failure> {
        if self.matches_nothing {
            return Ok(false);
        }
        if self.schema.lacks(&queues::KNOWN).is_none() {
            let row = self.query(include_str!("reader/queue_has_row.sql"), name).await?;
            if row.try_get("known")? {
                return Ok(true);
            }
        }
        Ok(self.query(include_str!("reader/queue_is_known.sql"), name).await?.try_get("known")?)
    }

    /// The time that the database spent on this so far.
    pub(super) fn busy(&self) -> Duration {
        self.run.busy()
    }

    /// A page of a listing, whose arguments begin with those of [`page`].
    ///
    /// # Errors
    /// Any failure of the database, led by the query's name; what it lacks, or our role.
    pub async fn page(
        &mut self,
        listing: &Listing,
        arguments: PgArguments,
        output: &Output,
    ) -> Result<Rows, Failure> {
        let mut rows = self.rows(listing, arguments).await?;
        rows.more = rows.rows.len() > output.limit as usize;
        rows.rows.truncate(output.limit as usize);
        Ok(rows)
    }

    /// All rows of a listing.
    ///
    /// # Errors
    /// As of [`Reader::page`].
    pub async fn rows(&mut self, listing: &Listing, arguments: PgArguments) -> Result<Rows, Failure> {
        let query = &listing.query;
        self.may_run(query)?;
        if self.matches_nothing {
            return Ok(Rows::default());
        }
        let fail = |message: String| Failure::new(Reason::Other, format!("{}: {message}", query.sql.name));
        let mut arguments = arguments;
        let text = match &self.queues {
            Some(queues) if query.tables(&self.schema).contains("job") => {
                add(&mut arguments, queues)?;
                query.text_of_queues(&self.schema, arguments.len())
            }
            _ => query.text(&self.schema),
        };
        // Safe, because nothing but our own files goes into it.
        let statement = AssertSqlSafe(format!(
            "select {} as listed from (\n{}\n) as listed",
            self.schema.sent("to_json(listed)::text"),
            text
        ));
        let found = self.run.fetch_all(sqlx::query_with(statement, arguments)).await.map_err(|failure| {
            let failure = advised(failure);
            Failure { message: format!("{}: {}", query.sql.name, failure.message), ..failure }
        })?;
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            // A database that checks no encoding holds any bytes.
            let text = String::from_utf8_lossy(row.try_get("listed")?);
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
            let value = |column: &super::listing::Column| {
                object.remove(column.name).ok_or_else(|| fail(format!("no column {}", column.name)))
            };
            rows.push(listing.columns.iter().map(value).collect::<Result<_, _>>()?);
        }
        Ok(Rows { rows, more: false })
    }

    /// The rows of one part of an answer, whose other parts can do without it.
    ///
    /// # Errors
    /// Where the database is gone, and with it the other parts.
    pub async fn part(&mut self, listing: &Listing, arguments: PgArguments) -> Result<Part, Failure> {
        if let Some(Lack::Missing(_)) = listing.query.lack(&self.schema) {
            return Ok(Part::NotHere);
        }
        self.execute("SAVEPOINT part").await?;
        match self.rows(listing, arguments).await {
            Ok(rows) => Ok(Part::Rows(rows)),
            Err(failure) if failure.reason == Reason::Unavailable => Err(failure),
            Err(failure) => {
                // An error ends the transaction for all that follows, unless it goes back before it.
                self.execute("ROLLBACK TO SAVEPOINT part").await?;
                Ok(Part::Failed(failure.message))
            }
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), Failure> {
        self.run.execute(sqlx::raw_sql(statement)).await.map(drop)
    }

    /// # Errors
    /// What this database lacks for a query, or our role.
    pub fn may_run(&self, query: &Query) -> Result<(), Failure> {
        let Some(lack) = query.lack(&self.schema) else { return Ok(()) };
        let advice = match lack {
            Lack::Locks(_) if self.queues.is_some() => return Ok(()),
            Lack::Permission(_) => {
                "; marie-exporter grants prints the SQL that gives the right, but for payloads, which take a role of your own"
            }
            Lack::Filtered(_) => "; marie-exporter check prints the SQL by which the role reads every row",
            Lack::Missing(_) | Lack::Locks(_) => "",
        };
        Err(Failure::new(Reason::Permission, format!("{}: {lack}{advice}", query.sql.name)))
    }

    /// Ends the transaction, after which the session can begin another.
    pub(super) async fn end(mut self) -> (Session, Schema) {
        self.session.finish(self.run, None).await;
        (self.session, self.schema)
    }

    /// Ends the transaction and says goodbye.
    pub async fn close(self) {
        let (mut session, _) = self.end().await;
        session.close().await;
    }
}

/// With what a person can do about it.
fn advised(mut failure: Failure) -> Failure {
    let advice = match failure.reason {
        Reason::Timeout => "; a longer --collector.timeout gives it more time",
        Reason::Lock => {
            "; somebody holds a lock on the scheduler's tables, such as a migration: try again, or look at pg_locks"
        }
        _ => "",
    };
    failure.message += advice;
    failure
}

/// The first two arguments of a listing that has pages: how many rows, one more than are shown, and from which on.
///
/// # Errors
/// When they cannot be encoded.
pub(super) fn page(output: &Output) -> Result<PgArguments, Failure> {
    let limit = i64::from(output.limit);
    let mut arguments = PgArguments::default();
    add(&mut arguments, limit + 1)?;
    add(&mut arguments, limit * i64::from(output.page - 1))?;
    Ok(arguments)
}

/// Adds an argument; of these types none is ever refused.
///
/// # Errors
/// When it cannot be encoded.
pub(super) fn add<'q, T>(arguments: &mut PgArguments, value: T) -> Result<(), Failure>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    use sqlx::Arguments;
    arguments.add(value).map_err(|error| Failure::new(Reason::Other, error.to_string()))
}
