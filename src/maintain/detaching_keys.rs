//! Foreign keys whose rows `purge all` keeps: on deletion they set the reference to NULL or to a default.
//!
//! TRUNCATE empties a table only together with all tables that refer to it. The rows are therefore detached first, in
//! batches. [`truncate_all`](super::truncate_all) then drops the foreign key, truncates, and creates the key again, all in
//! one transaction.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::batch_size::SHORTEST_PAUSE;
use super::foreign_keys::table_name;
use super::retry::{BATCH, change_with_retries};
use super::session::WriteSession;
use crate::config::quote_identifier;
use crate::postgres::{Failure, Reason};

/// Rows of a batch. Only rows that refer to a job or a DAG are locked, for a fraction of a second.
const ROWS: u32 = 10_000;

pub(super) struct DetachingKey {
    /// The referring table, quoted, with its schema.
    pub(super) table: String,
    /// Whether the role may drop and create the foreign key.
    pub(super) is_owned: bool,
    /// Name of the constraint, quoted.
    constraint: String,
    definition: String,
    /// New value of the columns: `null` or `default`.
    value: &'static str,
    /// Quoted.
    columns: Vec<String>,
}

/// Reads the detaching foreign keys to these tables, in the open transaction.
pub(super) async fn read(
    session: &mut WriteSession,
    tables: &[&'static str],
) -> Result<Vec<DetachingKey>, Failure> {
    let (schema, used) = (session.schema.name.clone(), session.schema.used(tables));
    let statement = sqlx::query(include_str!("detaching_keys.sql")).bind(schema.as_str()).bind(used);
    let rows = session.fetch_all(statement).await?;
    let key = |row: &PgRow| {
        Ok(DetachingKey {
            table: table_name(row)?,
            is_owned: row.try_get("is_owned")?,
            constraint: quote_identifier(row.try_get("constraint_name")?),
            definition: row.try_get("definition")?,
            value: if row.try_get("to_default")? { "default" } else { "null" },
            columns: row.try_get("columns")?,
        })
    };
    Ok(rows.iter().map(key).collect::<Result<_, sqlx::Error>>()?)
}

/// Sets references to NULL in batches, each in a transaction.
///
/// References with a default are not set, because their rows would match again. [`DetachingKey::drop_statements`] sets them.
pub(super) async fn detach(session: &mut WriteSession, keys: &[DetachingKey]) -> Result<(), Failure> {
    for key in keys.iter().filter(|key| key.value == "null") {
        let batch = format!(
            "{} and ctid = any (array(select ctid from {} where {} limit {ROWS}))",
            key.update(),
            key.table,
            key.condition()
        );
        loop {
            let update = async |session: &mut WriteSession| {
                session.execute(sqlx::raw_sql(AssertSqlSafe(batch.clone()))).await
            };
            if change_with_retries(session, &BATCH, update).await?.rows_affected() == 0 {
                break;
            }
            session.pause(SHORTEST_PAUSE).await;
            if session.is_interrupted() {
                return Err(Failure::new(Reason::Other, "interrupted"));
            }
        }
    }
    Ok(())
}

impl DetachingKey {
    /// Returns the right that a role lacks if it does not own the table.
    pub(super) fn missing_ownership(&self) -> String {
        format!("ownership of {}", self.table)
    }

    /// Returns the statements that drop the key. They also detach rows that were added since [`detach`].
    pub(super) fn drop_statements(&self) -> [String; 3] {
        let drop = format!("alter table {} drop constraint {}", self.table, self.constraint);
        // PostgreSQL refuses to alter a table that has checks pending until the commit.
        [self.update(), "set constraints all immediate".to_owned(), drop]
    }

    /// Returns the statement that creates the key again.
    pub(super) fn create_statement(&self) -> String {
        format!("alter table {} add constraint {} {}", self.table, self.constraint, self.definition)
    }

    fn update(&self) -> String {
        let values: Vec<String> =
            self.columns.iter().map(|column| format!("{column} = {}", self.value)).collect();
        format!("update {} set {} where {}", self.table, values.join(", "), self.condition())
    }

    /// Returns the condition for rows that refer to something.
    fn condition(&self) -> String {
        let conditions: Vec<String> =
            self.columns.iter().map(|column| format!("{column} is not null")).collect();
        format!("({})", conditions.join(" and "))
    }
}
