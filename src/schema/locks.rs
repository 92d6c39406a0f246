//! Calculates how many locks a transaction takes when it reads a table, and how many it may take.
//!
//! PostgreSQL keeps the locks of all sessions in one table of fixed size. Planning a statement over a partitioned table
//! locks all its partitions and their indexes until the transaction ends. If the lock table is full, the scheduler's
//! statements fail.

use std::collections::BTreeMap;

use sqlx::Row;

use super::{Lack, Schema, TABLES};
use crate::config::SchemaName;
use crate::postgres::{Connection, Failure};

/// One process uses at most this fraction, an eighth, of the server's lock table.
const SHARE: u64 = 8;

/// Most locks that one process holds, also if the server's lock table is large.
const MAX_LOCKS: u64 = 600;

/// Locks of a transaction on the catalog and on the table of queues.
const CATALOG_LOCKS: u64 = 20;

/// Locks of `pg_dump` on the catalog. Version 15 takes 161.
const CATALOG_LOCKS_OF_DUMP: u64 = 200;

/// Number of relations that planning a statement over a table locks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Relations {
    /// The table, its partitions and the indexes of all of them.
    all: u64,
    /// The table and its own indexes.
    own: u64,
    /// The largest partition and its indexes.
    largest_partition: u64,
    /// The partitions that may have rows, and their indexes.
    filled_partitions: u64,
    /// Whether each partition is for a list of values of the column `name`.
    is_by_queue: bool,
}

impl Relations {
    /// Reads the relations of each table of the schema.
    pub(super) async fn read(
        connection: &mut Connection,
        schema: &SchemaName,
    ) -> Result<BTreeMap<String, Relations>, Failure> {
        let statement = sqlx::query(include_str!("lock_counts.sql")).bind(schema.as_str());
        let rows = connection.fetch_all(statement).await?;
        rows.iter()
            .map(|row| {
                let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
                let relations = Relations {
                    all: count("relations")?,
                    own: count("own")?,
                    largest_partition: count("largest")?,
                    filled_partitions: count("filled")?,
                    is_by_queue: row.try_get("is_by_queue")?,
                };
                Ok((row.try_get("table_name")?, relations))
            })
            .collect()
    }
}

impl Schema {
    /// Sets how many locks a transaction may take. A process runs one at a time.
    pub(super) fn limit_locks(&mut self) {
        self.locks_allowed = (self.lock_table / SHARE).min(MAX_LOCKS).saturating_sub(CATALOG_LOCKS);
    }

    /// Returns the lack if a transaction that changes jobs would take too many locks. `None` if it may run.
    ///
    /// It locks all partitions, because deleting a DAG looks for its jobs in all of them. It may take an eighth of the lock
    /// table, because an operator runs it.
    pub fn lacks_locks_to_change_jobs(&self) -> Option<Lack> {
        beyond_an_eighth(self.locks(TABLES), CATALOG_LOCKS, self.lock_table)
    }

    /// Returns the lack if `pg_dump` would take too many locks for this schema. `None` if it may run.
    ///
    /// Its transaction locks every table, partition and sequence.
    pub async fn lacks_locks_to_dump(
        connection: &mut Connection,
        name: &SchemaName,
    ) -> Result<Option<Lack>, Failure> {
        let server = sqlx::query(include_str!("server.sql")).bind(name.as_str());
        let lock_table = connection.fetch_one(server).await?.try_get::<i64, _>("lock_table")?;
        let dumped = sqlx::query(include_str!("dumped_relations.sql")).bind(name.as_str());
        let relations = connection.fetch_one(dumped).await?.try_get::<i64, _>("relations")?;
        Ok(beyond_an_eighth(relations.unsigned_abs(), CATALOG_LOCKS_OF_DUMP, lock_table.unsigned_abs()))
    }

    /// Returns the number of locks of a transaction that plans statements over these tables.
    pub fn locks<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> u64 {
        tables.into_iter().map(|table| self.relations(table).all).sum()
    }

    /// Returns how many locks remain for partitions of `job` if a transaction reads these tables, but only some queues of
    /// `job`. `None` if `job` is not partitioned by queue, or if its largest partition does not fit.
    pub fn room_for_partitions<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> Option<u64> {
        let job = self.relations("job");
        let locks = |table| if table == "job" { job.own } else { self.relations(table).all };
        let room = self.locks_allowed.checked_sub(tables.into_iter().map(locks).sum())?;
        (job.is_by_queue && job.largest_partition <= room).then_some(room)
    }

    /// Returns the number of locks for planning a statement over these tables without the empty partitions of `job`.
    pub fn locks_of_filled_partitions<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> u64 {
        let locks = |table| {
            let relations = self.relations(table);
            if table == "job" && relations.is_by_queue {
                relations.own + relations.filled_partitions
            } else {
                relations.all
            }
        };
        tables.into_iter().map(locks).sum()
    }

    /// Returns the lack of a transaction that would take too many locks.
    pub fn lack_of_locks(&self, locks: u64) -> Lack {
        Lack::Locks(format!(
            "{locks} locks in one transaction; {} are allowed, because the scheduler needs the rest of the server's {} locks",
            self.locks_allowed, self.lock_table
        ))
    }

    fn relations(&self, table: &str) -> Relations {
        self.relations.get(table).copied().unwrap_or_default()
    }
}

/// Returns the lack if these locks, with those on the catalog, are more than an eighth of the lock table.
fn beyond_an_eighth(locks: u64, catalog: u64, lock_table: u64) -> Option<Lack> {
    let allowed = (lock_table / SHARE).saturating_sub(catalog);
    (locks > allowed).then(|| {
        Lack::Locks(format!(
            "{locks} locks in one transaction; {allowed} are allowed, because the scheduler needs the rest of the \
             server's {lock_table} locks; set a higher max_locks_per_transaction in postgresql.conf and restart the server"
        ))
    })
}
