//! Which columns a row keeps when it is moved: those that both tables have. What would be lost is refused by name, with
//! the SQL that makes room for it.

use sqlx::Row;

use super::writer::Writer;
use crate::config::{SchemaName, quote_identifier};
use crate::postgres::{Failure, Reason};

/// The columns of a table that are stored as they were written.
#[derive(Debug, Clone)]
pub(super) struct Columns(Vec<Column>);

#[derive(Debug, Clone)]
struct Column {
    name: String,
    kind: String,
    /// Whether a row must bring a value.
    is_required: bool,
}

/// When a job was archived: the one column that is the archive's own.
const ARCHIVED_ON: &str = "archived_on";

impl Columns {
    /// Of a table, in its order; generated columns are not among them, for they follow from the others.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn of(writer: &mut Writer, schema: &SchemaName, table: &str) -> Result<Self, Failure> {
        let rows = writer
            .fetch_all(sqlx::query(include_str!("columns.sql")).bind(schema.as_str()).bind(table))
            .await?;
        let column = |row: &sqlx::postgres::PgRow| {
            Ok(Column {
                name: row.try_get("name")?,
                kind: row.try_get("type")?,
                is_required: row.try_get("is_required")?,
            })
        };
        Ok(Columns(rows.iter().map(column).collect::<Result<_, sqlx::Error>>()?))
    }

    fn get(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|column| column.name == name)
    }

    /// Those of ours that `other` has too, quoted and parted by commas, each behind `prefix`.
    pub(super) fn shared_with(&self, other: &Columns, prefix: &str) -> String {
        let shared = self.0.iter().filter(|column| other.get(&column.name).is_some());
        shared
            .map(|column| format!("{prefix}{}", quote_identifier(&column.name)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The names of those of ours that `other` lacks.
    pub(super) fn beyond(&self, other: &Columns) -> Vec<&str> {
        self.0.iter().map(|column| column.name.as_str()).filter(|name| other.get(name).is_none()).collect()
    }

    /// Refuses to lose a column, or a part of what is in it, that was not given up by name; and names that are none.
    ///
    /// # Errors
    /// [`Reason::Other`], with what to do about it.
    pub(super) fn refuse_loss(
        &self,
        archive: &Columns,
        schema: &SchemaName,
        given_up: &[String],
    ) -> Result<(), Failure> {
        let is_lost = |column: &&Column| {
            archive.get(&column.name).is_none_or(|place| !holds_all_of(&place.kind, &column.kind))
        };
        let lost: Vec<&Column> = self.0.iter().filter(is_lost).collect();
        if let Some(other) = given_up.iter().find(|name| !lost.iter().any(|column| column.name == **name)) {
            let message = format!("--allow-dropping: nothing of a column {other:?} would be lost");
            return Err(Failure::new(Reason::Other, message));
        }
        let lost: Vec<&Column> = lost.into_iter().filter(|column| !given_up.contains(&column.name)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = lost.iter().map(|column| column.name.as_str()).collect();
        let changes: Vec<String> = lost
            .iter()
            .map(|Column { name, kind, .. }| {
                let quoted = quote_identifier(name);
                let change = match archive.get(name) {
                    None => format!("ADD COLUMN {quoted} {kind}"),
                    Some(_) => format!("ALTER COLUMN {quoted} TYPE {kind}"),
                };
                format!("  ALTER TABLE {}.archive {change};", schema.quoted())
            })
            .collect();
        Err(Failure::new(
            Reason::Other,
            format!(
                "the table archive has no place for all of {} of the jobs, so what is in it would be lost. Make room:\n\
                 {}\nor give it up with {}",
                names.join(", "),
                changes.join("\n"),
                names.iter().map(|name| format!("--allow-dropping {name}")).collect::<Vec<_>>().join(" "),
            ),
        ))
    }

    /// Refuses an archive that would take no row of jobs.
    ///
    /// # Errors
    /// [`Reason::Other`], with what to do about it.
    pub(super) fn refuse_unfit_archive(&self, archive: &Columns, schema: &SchemaName) -> Result<(), Failure> {
        if archive.get(ARCHIVED_ON).is_none() {
            let message = format!(
                "the table archive has no column {ARCHIVED_ON}. Make one:\n  ALTER TABLE {}.archive ADD COLUMN \
                 {ARCHIVED_ON} timestamptz NOT NULL DEFAULT now();",
                schema.quoted()
            );
            return Err(Failure::new(Reason::Other, message));
        }
        let is_in_the_way = |column: &&Column| {
            column.is_required && column.name != ARCHIVED_ON && self.get(&column.name).is_none()
        };
        match archive.0.iter().find(is_in_the_way) {
            None => Ok(()),
            Some(Column { name, .. }) => {
                let message = format!(
                    "the table archive wants a value for {name}, which jobs do not have. Give it a default:\n  \
                     ALTER TABLE {}.archive ALTER COLUMN {} SET DEFAULT …;",
                    schema.quoted(),
                    quote_identifier(name)
                );
                Err(Failure::new(Reason::Other, message))
            }
        }
    }
}

/// Whether every value of one type has a place in the other.
fn holds_all_of(place: &str, value: &str) -> bool {
    place == value || place == "text" || (place, value) == ("bigint", "integer")
}
