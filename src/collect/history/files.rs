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
    /// A further table does not matter. Its rows were not there before.
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

    /// Returns how many pages the longest of these tables has, `None` for all tables.
    pub(super) fn most_pages(&self, tables: Option<&[TableId]>) -> u64 {
        self.pages_of(tables).max().unwrap_or(0)
    }

    /// Returns the end of a range of pages that begins with `first`: the largest for which all tables together have at most
    /// `size` pages in the range, but never an empty one.
    pub(super) fn range_end(&self, tables: Option<&[TableId]>, first: u64, size: u64) -> u64 {
        let mut lengths: Vec<u64> = self.pages_of(tables).map(|pages| pages.saturating_sub(first)).collect();
        lengths.retain(|length| *length > 0);
        lengths.sort_unstable();
        let (mut rest, mut tables) = (size, lengths.len() as u64);
        for length in lengths {
            if length * tables > rest {
                return first + (rest / tables).max(1);
            }
            (rest, tables) = (rest - length, tables - 1);
        }
        u64::MAX
    }

    fn pages_of<'a>(&'a self, tables: Option<&'a [TableId]>) -> impl Iterator<Item = u64> + 'a {
        let is_read = move |table: &TableId| tables.is_none_or(|tables| tables.contains(table));
        self.0.iter().filter(move |(table, _)| is_read(table)).map(|(_, file)| file.pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_has_at_most_so_many_pages_of_all_tables() {
        let files = |pages: &[u64]| {
            let file = |(table, pages): (TableId, &u64)| (table, File { number: Some(1), pages: *pages });
            Files((0..).zip(pages).map(file).collect())
        };
        for (pages, first, size, end) in [
            (&[100, 100][..], 0, 50, 25),
            (&[10, 100], 0, 50, 40),
            (&[10, 100], 10, 50, 60),
            (&[10, 100], 5, 50, 50),
            (&[10, 20, 100], 0, 1, 1),
            (&[10, 20, 100], 0, 130, u64::MAX),
            (&[10], 10, 5, u64::MAX),
            (&[], 0, 5, u64::MAX),
        ] {
            assert_eq!(files(pages).range_end(None, first, size), end, "{pages:?} from {first}, {size}");
        }
        assert_eq!(files(&[10, 100]).range_end(Some(&[1]), 0, 50), 50);
    }
}
