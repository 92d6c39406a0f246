//! Which columns a row keeps when it is moved: those that both tables have. What would be lost is refused by name, with
//! the SQL that makes room for it.

use std::collections::BTreeSet;

use sqlx::Row;

use super::writer::Writer;
use crate::config::{SchemaName, quote_identifier};
use crate::database::{Failure, Reason};

/// The columns of a table that are stored as they were written, by name, each with its type.
#[derive(Debug, Clone)]
pub(super) struct Columns(Vec<(String, String)>);

impl Columns {
    /// Of a table, in its order; generated columns are not among them, for they follow from the others.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn of(writer: &mut Writer, schema: &SchemaName, table: &str) -> Result<Self, Failure> {
        let rows = sqlx::query(include_str!("columns.sql"))
            .bind(schema.as_str())
            .bind(table)
            .fetch_all(writer.connection())
            .await?;
        let column = |row: &sqlx::postgres::PgRow| Ok((row.try_get("name")?, row.try_get("type")?));
        Ok(Columns(rows.iter().map(column).collect::<Result<_, sqlx::Error>>()?))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(column, _)| column == name)
    }

    /// Those of ours that `other` has too, quoted and parted by commas.
    pub(super) fn shared_with(&self, other: &Columns) -> String {
        let shared = self.0.iter().filter(|(name, _)| other.has(name));
        shared.map(|(name, _)| quote_identifier(name)).collect::<Vec<_>>().join(", ")
    }

    /// The names of those of ours that `other` lacks.
    pub(super) fn beyond(&self, other: &Columns) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !other.has(name)).collect()
    }

    /// Refuses to lose a column that was not given up by name, and names that are none.
    ///
    /// # Errors
    /// [`Reason::Other`], with what to do about it.
    pub(super) fn refuse_loss(
        &self,
        archive: &Columns,
        schema: &SchemaName,
        given_up: &[String],
    ) -> Result<(), Failure> {
        let lost: BTreeSet<&str> = self.beyond(archive).into_iter().collect();
        if let Some(other) = given_up.iter().find(|column| !lost.contains(column.as_str())) {
            let message = format!("--allow-dropping: nothing of a column {other:?} would be lost");
            return Err(Failure::new(Reason::Other, message));
        }
        let lost: Vec<&(String, String)> = self
            .0
            .iter()
            .filter(|(name, _)| lost.contains(name.as_str()) && !given_up.contains(name))
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = lost.iter().map(|(name, _)| name.as_str()).collect();
        let additions: Vec<String> = lost
            .iter()
            .map(|(name, kind)| {
                format!(
                    "  ALTER TABLE {}.archive ADD COLUMN {} {kind};",
                    schema.quoted(),
                    quote_identifier(name)
                )
            })
            .collect();
        Err(Failure::new(
            Reason::Other,
            format!(
                "the table archive has no column for {} of the jobs, so what is in it would be lost. Make room:\n{}\n\
                 or give it up with {}",
                names.join(", "),
                additions.join("\n"),
                names.iter().map(|name| format!("--allow-dropping {name}")).collect::<Vec<_>>().join(" "),
            ),
        ))
    }
}
