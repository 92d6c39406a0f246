//! Runs a listing in the reader's open transaction, and decodes the JSON objects of its rows.

use serde_json::{Map, Value};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::{Reader, with_advice};
use crate::collect::collector::Query;
use crate::inspect::listing::Listing;
use crate::inspect::scope::Partitions;
use crate::postgres::{Failure, Reason};
use crate::schema::{Lack, Schema};
use crate::terminal::columns::{Column, Rows};

/// The result of a listing whose failure does not fail the command.
#[derive(Debug)]
pub(in crate::inspect) enum Fetched {
    Rows(Rows),
    /// This database lacks a table or column that the listing needs.
    Missing,
    /// Why it could not be read.
    Failed(String),
}

impl Reader<'_> {
    /// Returns all rows of a listing.
    ///
    /// # Errors
    /// If the query cannot run here or fails. The message begins with the query's name.
    pub(in crate::inspect) async fn fetch(
        &mut self,
        listing: &Listing,
        mut arguments: PgArguments,
    ) -> Result<Rows, Failure> {
        let query = &listing.query;
        self.may_run(query)?;
        if self.matches_nothing {
            return Ok(Rows::default());
        }
        let text = match &self.partitions {
            Partitions::OfQueues(queues) if query.tables(&self.schema).contains("job") => {
                query.text_of_queues(&self.schema, &mut arguments, queues)?
            }
            _ => query.text(&self.schema),
        };
        // Safe, because the statement consists of our own files.
        let statement = AssertSqlSafe(as_json(&self.schema, &text));
        let rows = self.run().await?.fetch_all(sqlx::query_with(statement, arguments)).await;
        let rows = rows.map_err(|failure| with_name(query, with_advice(failure)))?;
        decode(listing, &json_texts(&rows)?)
    }

    /// Returns the rows of a listing, or why there are none.
    ///
    /// # Errors
    /// If the connection fails.
    pub(in crate::inspect) async fn try_fetch(
        &mut self,
        listing: &Listing,
        arguments: PgArguments,
    ) -> Result<Fetched, Failure> {
        if self.is_missing(&listing.query) {
            return Ok(Fetched::Missing);
        }
        self.execute("SAVEPOINT listing").await?;
        let rows = self.fetch(listing, arguments).await;
        self.recover(rows).await
    }

    /// Whether this database lacks a table or column that the query needs.
    pub(super) fn is_missing(&self, query: &Query) -> bool {
        matches!(query.lack(&self.schema), Some(Lack::Missing(_)))
    }

    /// Rolls back to the savepoint `listing` after a failure, because an error aborts the transaction.
    ///
    /// # Errors
    /// If the connection failed.
    pub(super) async fn recover(&mut self, rows: Result<Rows, Failure>) -> Result<Fetched, Failure> {
        match rows {
            Ok(rows) => Ok(Fetched::Rows(rows)),
            Err(failure) if failure.reason == Reason::Unavailable => Err(failure),
            Err(failure) => {
                if self.run.is_some() {
                    self.execute("ROLLBACK TO SAVEPOINT listing").await?;
                }
                Ok(Fetched::Failed(failure.message))
            }
        }
    }

    /// Checks that the query can run here.
    ///
    /// # Errors
    /// What this database or our role lacks for it, and how to change that.
    pub(in crate::inspect) fn may_run(&self, query: &Query) -> Result<(), Failure> {
        let Some(lack) = query.lack(&self.schema) else { return Ok(()) };
        let advice = match lack {
            Lack::Locks(_) => match self.partitions {
                Partitions::OfQueues(_) => return Ok(()),
                Partitions::All => "",
                Partitions::InGroups => "; name a queue with --queue where the command takes it",
            },
            Lack::Permission(_) => {
                "; `marie-exporter grants` prints the SQL that gives the right; payloads need another role"
            }
            Lack::Filtered(_) => "; `marie-exporter check` prints the SQL by which the role reads every row",
            Lack::Missing(_) => "",
        };
        Err(Failure::new(Reason::Permission, format!("{}: {lack}{advice}", query.sql.name)))
    }
}

/// Returns a statement that gives each row of `text` as a JSON object, in the column `json`.
pub(super) fn as_json(schema: &Schema, text: &str) -> String {
    format!("select {} as json from (\n{text}\n) as listed", schema.sent("to_json(listed)::text"))
}

/// Returns the column `json` of rows. A database without an encoding can send bytes that are not UTF-8; these are
/// replaced.
pub(super) fn json_texts(rows: &[PgRow]) -> Result<Vec<String>, Failure> {
    let text = |row: &PgRow| Ok(String::from_utf8_lossy(row.try_get("json")?).into_owned());
    rows.iter().map(text).collect()
}

/// Returns the values of a listing's columns from the JSON objects of its rows.
pub(super) fn decode(listing: &Listing, texts: &[String]) -> Result<Rows, Failure> {
    let fail = |message: String| with_name(&listing.query, Failure::new(Reason::Other, message));
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

/// Puts the query's name before the message of a failure.
pub(super) fn with_name(query: &Query, mut failure: Failure) -> Failure {
    failure.message = format!("{}: {}", query.sql.name, failure.message);
    failure
}
