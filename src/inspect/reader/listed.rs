//! Answers a listing in the reader's open transaction, and turns PostgreSQL's JSON into rows.

use serde_json::{Map, Value};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::{Reader, advised};
use crate::collect::collector::Query;
use crate::inspect::listing::Listing;
use crate::inspect::scope::Reach;
use crate::postgres::{Failure, Reason};
use crate::schema::{Lack, Schema};
use crate::terminal::columns::{Column, Rows};

/// What one part of an answer came to.
#[derive(Debug)]
pub enum Part {
    Rows(Rows),
    /// This database has no such thing.
    NotHere,
    /// Why it could not be read.
    Failed(String),
}

impl Reader<'_> {
    /// Returns all rows of a listing.
    ///
    /// # Errors
    /// Any failure of the database, led by the query's name; what it lacks, or our role.
    pub async fn rows(&mut self, listing: &Listing, mut arguments: PgArguments) -> Result<Rows, Failure> {
        let query = &listing.query;
        self.may_run(query)?;
        if self.matches_nothing {
            return Ok(Rows::default());
        }
        let text = match &self.reach {
            Reach::Queues(queues) if query.tables(&self.schema).contains("job") => {
                query.text_of_queues(&self.schema, &mut arguments, queues)?
            }
            _ => query.text(&self.schema),
        };
        // Safe, because nothing but our own files goes into it.
        let statement = AssertSqlSafe(as_json(&self.schema, &text));
        let found = self.run().await?.fetch_all(sqlx::query_with(statement, arguments)).await;
        let found = found.map_err(|failure| named(query, advised(failure)))?;
        rows_of(listing, &texts(&found)?)
    }

    /// Returns the rows of one part of an answer, whose other parts can do without it.
    ///
    /// # Errors
    /// Where the database is gone, and with it the other parts.
    pub async fn part(&mut self, listing: &Listing, arguments: PgArguments) -> Result<Part, Failure> {
        if self.is_missing(&listing.query) {
            return Ok(Part::NotHere);
        }
        self.execute("SAVEPOINT part").await?;
        let rows = self.rows(listing, arguments).await;
        self.part_of(rows).await
    }

    /// Whether this database has no such thing.
    pub(super) fn is_missing(&self, query: &Query) -> bool {
        matches!(query.lack(&self.schema), Some(Lack::Missing(_)))
    }

    /// Makes a part of rows that were read behind the savepoint `part`.
    pub(super) async fn part_of(&mut self, rows: Result<Rows, Failure>) -> Result<Part, Failure> {
        match rows {
            Ok(rows) => Ok(Part::Rows(rows)),
            Err(failure) if failure.reason == Reason::Unavailable => Err(failure),
            Err(failure) => {
                // An error ends the transaction for all that follows, unless it goes back before it.
                if self.run.is_some() {
                    self.execute("ROLLBACK TO SAVEPOINT part").await?;
                }
                Ok(Part::Failed(failure.message))
            }
        }
    }

    /// # Errors
    /// What this database lacks for a query, or our role.
    pub fn may_run(&self, query: &Query) -> Result<(), Failure> {
        let Some(lack) = query.lack(&self.schema) else { return Ok(()) };
        let advice = match lack {
            Lack::Locks(_) => match self.reach {
                Reach::Queues(_) => return Ok(()),
                Reach::AllQueues => "",
                Reach::Groups => "; name a queue with --queue where the command takes it",
            },
            Lack::Permission(_) => {
                "; marie-exporter grants prints the SQL that gives the right, but for payloads, which take a role of your own"
            }
            Lack::Filtered(_) => "; marie-exporter check prints the SQL by which the role reads every row",
            Lack::Missing(_) => "",
        };
        Err(Failure::new(Reason::Permission, format!("{}: {lack}{advice}", query.sql.name)))
    }
}

/// Returns the statement whose rows are the JSON objects of another one's rows, in the column `listed`.
pub(super) fn as_json(schema: &Schema, text: &str) -> String {
    format!("select {} as listed from (\n{text}\n) as listed", schema.sent("to_json(listed)::text"))
}

/// Returns the column `listed` of rows. A database that checks no encoding holds any bytes.
pub(super) fn texts(found: &[PgRow]) -> Result<Vec<String>, Failure> {
    let text = |row: &PgRow| Ok(String::from_utf8_lossy(row.try_get("listed")?).into_owned());
    found.iter().map(text).collect()
}

/// Returns the values of a listing's columns from JSON objects.
pub(super) fn rows_of(listing: &Listing, texts: &[String]) -> Result<Rows, Failure> {
    let fail = |message: String| named(&listing.query, Failure::new(Reason::Other, message));
    let row = |text: &String| {
        let mut object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| fail(error.to_string()))?;
        let value = |column: &Column| {
            object.remove(column.name).ok_or_else(|| fail(format!("no column {}", column.name)))
        };
        listing.columns.iter().map(value).collect()
    };
    Ok(Rows { rows: texts.iter().map(row).collect::<Result<_, _>>()?, more: false })
}

/// The failure, led by the query's name.
pub(super) fn named(query: &Query, mut failure: Failure) -> Failure {
    failure.message = format!("{}: {}", query.sql.name, failure.message);
    failure
}
