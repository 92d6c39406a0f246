//! Columns that a job keeps when it moves to the archive: those that both tables have.
//!
//! If the archive has no place for a value, the command is refused. The message names the column and the SQL that makes
//! room for it.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::session::WriteSession;
use crate::config::{SchemaName, quote_identifier};
use crate::postgres::{Failure, Reason};

/// Columns of a table in its order, without generated columns, because those follow from the others.
#[derive(Debug, Clone)]
pub(super) struct StoredColumns(Vec<StoredColumn>);

#[derive(Debug, Clone)]
struct StoredColumn {
    name: String,
    /// SQL type with its modifiers.
    sql_type: String,
    /// Whether an inserted row must have a value.
    is_required: bool,
}

/// Column of the archive that job lacks: when the job was archived.
const ARCHIVED_ON: &str = "archived_on";

impl StoredColumns {
    /// Reads the columns of a table.
    pub(super) async fn read(
        session: &mut WriteSession,
        schema: &SchemaName,
        table: &str,
    ) -> Result<Self, Failure> {
        let statement = sqlx::query(include_str!("stored_columns.sql")).bind(schema.as_str()).bind(table);
        let rows = session.fetch_all(statement).await?;
        let column = |row: &PgRow| {
            Ok(StoredColumn {
                name: row.try_get("name")?,
                sql_type: row.try_get("type")?,
                is_required: row.try_get("is_required")?,
            })
        };
        Ok(StoredColumns(rows.iter().map(column).collect::<Result<_, sqlx::Error>>()?))
    }

    fn get(&self, name: &str) -> Option<&StoredColumn> {
        self.0.iter().find(|column| column.name == name)
    }

    /// Returns the columns that `other` has too, quoted, each behind `prefix`, separated by commas.
    pub(super) fn shared_with(&self, other: &StoredColumns, prefix: &str) -> String {
        let shared = self.0.iter().filter(|column| other.get(&column.name).is_some());
        shared
            .map(|column| format!("{prefix}{}", quote_identifier(&column.name)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Returns the names of the columns that `other` lacks.
    pub(super) fn missing_from(&self, other: &StoredColumns) -> Vec<&str> {
        self.0.iter().map(|column| column.name.as_str()).filter(|name| other.get(name).is_none()).collect()
    }

    /// Checks that the archive has a place for every value of a job, except in the columns of `--allow-dropping`.
    ///
    /// # Errors
    /// The archive would lose something, or `--allow-dropping` names a column of which nothing would be lost.
    pub(super) fn refuse_loss(
        &self,
        archive: &StoredColumns,
        schema: &SchemaName,
        droppable: &[String],
    ) -> Result<(), Failure> {
        let is_lost = |column: &&StoredColumn| {
            archive
                .get(&column.name)
                .is_none_or(|place| !holds_every_value(&place.sql_type, &column.sql_type))
        };
        let lost: Vec<&StoredColumn> = self.0.iter().filter(is_lost).collect();
        if let Some(other) = droppable.iter().find(|name| !lost.iter().any(|column| column.name == **name)) {
            let message = format!("--allow-dropping: nothing of a column {other:?} would be lost");
            return Err(Failure::new(Reason::Other, message));
        }
        let lost: Vec<&StoredColumn> =
            lost.into_iter().filter(|column| !droppable.contains(&column.name)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = lost.iter().map(|column| column.name.as_str()).collect();
        let changes: Vec<String> = lost
            .iter()
            .map(|StoredColumn { name, sql_type, .. }| {
                let quoted = quote_identifier(name);
                let change = match archive.get(name) {
                    None => format!("ADD COLUMN {quoted} {sql_type}"),
                    Some(_) => format!("ALTER COLUMN {quoted} TYPE {sql_type}"),
                };
                format!("  ALTER TABLE {}.archive {change};", schema.quoted())
            })
            .collect();
        Err(Failure::new(
            Reason::Other,
            format!(
                "the table archive cannot hold every value of these columns of job: {}. Nothing was moved, because values \
                 would be lost. Make room:\n{}\nor drop the values with {}",
                names.join(", "),
                changes.join("\n"),
                names.iter().map(|name| format!("--allow-dropping {name}")).collect::<Vec<_>>().join(" "),
            ),
        ))
    }

    /// Checks that rows of job can be inserted into the archive.
    ///
    /// # Errors
    /// The archive lacks its own column, or requires a value that job lacks.
    pub(super) fn refuse_unfit_archive(
        &self,
        archive: &StoredColumns,
        schema: &SchemaName,
    ) -> Result<(), Failure> {
        if archive.get(ARCHIVED_ON).is_none() {
            let message = format!(
                "the table archive has no column {ARCHIVED_ON}. Make one:\n  ALTER TABLE {}.archive ADD COLUMN \
                 {ARCHIVED_ON} timestamptz NOT NULL DEFAULT now();",
                schema.quoted()
            );
            return Err(Failure::new(Reason::Other, message));
        }
        let lacks_value = |column: &&StoredColumn| {
            column.is_required && column.name != ARCHIVED_ON && self.get(&column.name).is_none()
        };
        match archive.0.iter().find(lacks_value) {
            None => Ok(()),
            Some(StoredColumn { name, .. }) => {
                let message = format!(
                    "the table archive requires a value for {name}, which jobs do not have. Give it a default:\n  \
                     ALTER TABLE {}.archive ALTER COLUMN {} SET DEFAULT …;",
                    schema.quoted(),
                    quote_identifier(name)
                );
                Err(Failure::new(Reason::Other, message))
            }
        }
    }
}

/// Returns whether a column of the type `place` can hold every value of the type `value`.
fn holds_every_value(place: &str, value: &str) -> bool {
    place == value || place == "text" || (place, value) == ("bigint", "integer")
}
