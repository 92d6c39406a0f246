//! How many locks a transaction takes when it reads a table, and how many it may take.
//!
//! PostgreSQL keeps the locks of all sessions in one table of fixed size. A statement over a partitioned table locks
//! every partition and every index of it while it is planned, until its transaction ends. When the table is full, the
//! scheduler's own statements fail.

use std::collections::BTreeMap;

use sqlx::Row;

use super::{Lack, Schema, TABLES};
use crate::config::SchemaName;
use crate::postgres::{Connection, Failure};

/// The part of the server's lock table that one process of ours uses at most.
const SHARE: u64 = 8;

/// The most locks that one process of ours holds, however large the server's table is.
const MOST: u64 = 600;

/// The parts into which the limit of one process is divided. A transaction takes one part at most.
pub(super) const SESSIONS: u64 = 2;

/// Locks that a transaction takes besides: on the catalog and on the table of queues.
const CATALOG: u64 = 20;

/// Locks that `pg_dump` takes on the catalog: 161 were measured with version 15.
const CATALOG_OF_DUMP: u64 = 200;

/// What planning a statement over a table locks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Relations {
    /// The table, its partitions and the indexes of all of them.
    all: u64,
    /// The table and its own indexes.
    own: u64,
    /// The largest partition and its indexes.
    largest_partition: u64,
    /// The partitions that may hold rows and their indexes.
    filled_partitions: u64,
    /// Whether each partition is for some values of the column `name`.
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
    /// Shares the locks of this process between so many sessions, of which each runs one transaction at a time.
    pub fn share_locks(&mut self, sessions: u64) {
        self.locks_allowed = ((self.lock_table / SHARE).min(MOST) / sessions).saturating_sub(CATALOG);
    }

    /// Returns why a transaction that changes jobs cannot be had, if so: it locks every partition, because deleting a DAG
    /// looks for its jobs in all of them. An operator runs it, so it may take an eighth of the lock table.
    pub fn lacks_locks_to_change_jobs(&self) -> Option<Lack> {
        beyond_an_eighth(self.locks(TABLES), CATALOG, self.lock_table)
    }

    /// Returns why `pg_dump` may not dump this schema, if so: its transaction locks every table, partition and sequence.
    ///
    /// # Errors
    /// Any failure of the database.
    pub async fn lacks_locks_to_dump(
        connection: &mut Connection,
        name: &SchemaName,
    ) -> Result<Option<Lack>, Failure> {
        let server = sqlx::query(include_str!("server.sql")).bind(name.as_str());
        let lock_table = connection.fetch_one(server).await?.try_get::<i64, _>("lock_table")?;
        let dumped = sqlx::query(include_str!("dumped_relations.sql")).bind(name.as_str());
        let relations = connection.fetch_one(dumped).await?.try_get::<i64, _>("relations")?;
        Ok(beyond_an_eighth(relations.unsigned_abs(), CATALOG_OF_DUMP, lock_table.unsigned_abs()))
    }

    /// Returns how many locks a transaction takes that plans statements over these tables.
    pub fn locks<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> u64 {
        tables.into_iter().map(|table| self.relations(table).all).sum()
    }

    /// Returns how many locks remain for partitions of `job` where a transaction reads these tables but only some queues
    /// of `job`. None where `job` is not partitioned by queue, or not even its largest partition fits.
    pub fn room_for_partitions<'a>(&self, tables: impl IntoIterator<Item = &'a str>) -> Option<u64> {
        let job = self.relations("job");
        let locks = |table| if table == "job" { job.own } else { self.relations(table).all };
        let room = self.locks_allowed.checked_sub(tables.into_iter().map(locks).sum())?;
        (job.is_by_queue && job.largest_partition <= room).then_some(room)
    }

    /// Returns how many locks planning a statement over these tables takes where empty partitions of `job` are left out.
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

    /// Returns what the database lacks for so many locks in one transaction.
    pub fn lack_of_locks(&self, locks: u64) -> Lack {
        Lack::Locks(format!(
            "{locks} locks in one transaction, more than the {} that leave the server's lock table of {} to the scheduler",
            self.locks_allowed, self.lock_table
        ))
    }

    fn relations(&self, table: &str) -> Relations {
        self.relations.get(table).copied().unwrap_or_default()
    }
}

/// Returns what is lacking for so many locks and those on the catalog, if they are more than an eighth of the table.
fn beyond_an_eighth(locks: u64, catalog: u64, lock_table: u64) -> Option<Lack> {
    let allowed = (lock_table / SHARE).saturating_sub(catalog);
    (locks > allowed).then(|| {
        Lack::Locks(format!(
            "{locks} locks in one transaction, more than the {allowed} that leave the server's lock table of \
             {lock_table} to the scheduler; a higher max_locks_per_transaction in postgresql.conf makes room, after a \
             restart"
        ))
    })
}
