//! The files that hold the jobs: whether one of them was replaced during a pass, and how many pages each has.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::postgres::{Failure, Run};
use crate::schema::Schema;

/// Id of a table in the catalog.
pub(super) type TableId = i64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    /// Number of the file, `None` if the table has none.
    number: Option<i64>,
    pages: u64,
}

/// The files of `job` or of its partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files(BTreeMap<TableId, File>);

impl Files {
    /// Reads the files as they are now, not as of the transaction's snapshot.
    ///
    /// After a statement over `job` in the same transaction, they are those that the statement has read: its locks, which
    /// the transaction keeps, exclude a replacement.
    pub(super) async fn read(run: &mut Run, schema: &Schema) -> Result<Self, Failure> {
        let statement = sqlx::query(include_str!("files.sql")).bind(schema.name.as_str());
        let rows = run.fetch_all(statement).await?;
        let file = |row: &sqlx::postgres::PgRow| {
            let pages = row.try_get::<i64, _>("pages")?.unsigned_abs();
            Ok((row.try_get("oid")?, File { number: row.try_get("file")?, pages }))
        };
        Ok(Files(rows.iter().map(file).collect::<Result<_, sqlx::Error>>()?))
    }

    /// Whether each table of `before` still has the same file: none was rewritten, emptied or removed.
    ///
    /// A further table does not matter. Its rows were not there when the pass began.
    pub(super) fn keep(&self, before: &Files) -> bool {
        before.0.iter().all(|(table, file)| self.0.get(table).is_some_and(|now| now.number == file.number))
    }

    /// Whether all jobs are in files of this server, whose pages can be read one after the other.
    pub(super) fn are_local(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|file| file.number.is_some())
    }

    /// Returns how many pages all tables have together.
    pub(super) fn pages(&self) -> u64 {
        self.0.values().map(|file| file.pages).sum()
    }

    /// Returns how many pages the longest table has, of those in `tables` or of all.
    pub(super) fn most_pages(&self, tables: Option<&[TableId]>) -> u64 {
        let is_read = |table: &TableId| tables.is_none_or(|tables| tables.contains(table));
        self.0.iter().filter(|(table, _)| is_read(table)).map(|(_, file)| file.pages).max().unwrap_or(0)
    }
}
