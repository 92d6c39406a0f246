//! [`Schema`]: the tables, columns, indexes, partitions, rights and job states of this database.
//!
//! Marie's schema has four shapes, and all of them report version 1. Therefore the catalog is read instead. Collectors and
//! commands check with [`Schema::lack`] whether the database has what a query needs.
//!
//! [`read`] reads the catalog. [`trust`] finds relations that are not used, [`filter`] those of which row-level security
//! hides rows. [`locks`] limits the locks of a transaction, [`states`] lists job states, and [`encoding`] finds text that
//! cannot be sent. [`need`] declares what queries need.

mod encoding;
mod filter;
mod locks;
mod need;
pub mod queue_partitions;
mod read;
mod states;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use once_cell::sync::Lazy;
use regex::Regex;

pub use self::filter::Filter;
use self::locks::Relations;
pub use self::need::{Index, Lack, Need};
pub use self::states::UNFINISHED_STATES;
pub use self::trust::Untrusted;
use crate::config::SchemaName;
use crate::postgres::{Connection, Failure, Reason};

/// The tables that statements name. Other tables are not read from the catalog, because a role that may create tables in
/// the schema could make the reading expensive.
pub const TABLES: [&str; 11] = [
    "archive",
    "dag",
    "dag_history",
    "job",
    "job_attempt",
    "job_dependencies",
    "job_history",
    "kv_store_worker",
    "kv_store_worker_history",
    "queue",
    "version",
];

/// A table or view that is used.
#[derive(Debug, Clone)]
struct Table {
    partitioned: bool,
    /// Whether the role may read each column, by the column's name.
    columns: BTreeMap<String, bool>,
    /// Row-level security that hides rows from the role.
    filter: Option<Filter>,
}

/// An index of the database. See `indexes.sql` for the fields.
#[derive(Debug, Clone)]
struct FoundIndex {
    table: String,
    columns: Vec<String>,
    predicate: Option<String>,
}

/// Contents of the catalog, read in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Name of the schema, which qualifies the tables in statements.
    pub name: SchemaName,
    tables: BTreeMap<String, Table>,
    /// Relations that are not used and count as missing.
    untrusted: BTreeMap<String, Untrusted>,
    /// Views that are used. They may omit rows.
    views: BTreeSet<String>,
    /// All filters, including those that hide no rows.
    filters: Vec<Filter>,
    indexes: Vec<FoundIndex>,
    relations: BTreeMap<String, Relations>,
    states: Vec<String>,
    /// The role of the session.
    pub role: String,
    /// Encoding of the database, by the server's name for it.
    encoding: String,
    /// Number of locks that all sessions of the server can hold together.
    pub lock_table: u64,
    /// Number of locks that one transaction of the exporter may take on the tables that it reads.
    pub locks_allowed: u64,
    pub server_version: String,
    /// The server's version as a number, such as 150014.
    version_number: i64,
    pub in_recovery: bool,
    /// Clock of the database minus clock of the exporter, in seconds.
    pub clock_offset: f64,
}

impl Schema {
    /// Fails if the schema has no job table, because then no scheduler uses it.
    pub fn require_job_table(&self, name: &SchemaName) -> Result<(), Failure> {
        if self.tables.contains_key("job") {
            return Ok(());
        }
        if let Some(untrusted) = self.untrusted.get("job") {
            return Err(Failure::new(Reason::Other, untrusted.to_string()));
        }
        let message = format!(
            "there is no job table in the schema {}; is --database.schema right, and the database?",
            name.quoted()
        );
        Err(Failure::new(Reason::Other, message))
    }

    /// Returns the part of `need` that this database lacks. `None` if the need is met.
    pub fn lack(&self, need: &Need) -> Option<Lack> {
        match need {
            Need::Table(table) if self.tables.contains_key(*table) => None,
            Need::Table(table) => Some(Lack::Missing(if self.untrusted.contains_key(*table) {
                format!("table {table} that can be trusted")
            } else {
                format!("table {table}")
            })),
            Need::Columns(table, columns) => {
                let Some(found) = self.tables.get(*table) else { return self.lack(&Need::Table(table)) };
                // A missing column comes first, because no right to it can be granted.
                if let Some(missing) = columns.iter().find(|column| !found.columns.contains_key(**column)) {
                    return Some(Lack::Missing(format!("column {table}.{missing}")));
                }
                let Some(denied) = columns.iter().find(|column| !found.columns[**column]) else {
                    return found.filter.clone().map(Lack::Filtered);
                };
                Some(Lack::Permission(if found.columns.values().any(|readable| *readable) {
                    format!("column {table}.{denied}")
                } else {
                    format!("table {table}")
                }))
            }
            Need::Index(index) if self.has_index(index) => None,
            Need::Index(index) => {
                Some(Lack::Missing(format!("index on {} ({})", index.table, index.columns.join(", "))))
            }
        }
    }

    /// Returns whether something of `need` does not exist, regardless of the role's rights.
    pub fn is_missing(&self, need: &Need) -> bool {
        matches!(self.lack(need), Some(Lack::Missing(_)))
    }

    /// Returns the relations that are not used, with the reasons.
    pub fn untrusted(&self) -> impl Iterator<Item = &Untrusted> {
        self.untrusted.values()
    }

    /// Returns those of the given tables that exist and are used.
    pub fn used<'a>(&self, tables: &[&'a str]) -> Vec<&'a str> {
        tables.iter().copied().filter(|table| self.tables.contains_key(*table)).collect()
    }

    /// Returns the views that replace tables.
    pub fn views(&self) -> impl Iterator<Item = &str> {
        self.views.iter().map(String::as_str)
    }

    /// Returns the row-level security that hides rows from the role.
    pub fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.tables.values().filter_map(|table| table.filter.as_ref())
    }

    /// Lets the transaction read tables whose policies hide no rows from the role.
    ///
    /// Without this, PostgreSQL refuses to read a table under any policy, because `row_security` is off. Policies can
    /// change at any time, so they are first compared with those of this schema.
    ///
    /// # Errors
    /// [`Reason::SchemaChanged`] if the policies have changed.
    pub async fn permit_policies(&self, connection: &mut Connection) -> Result<(), Failure> {
        if self.filters.iter().all(|filter| filter.is_effective) {
            return Ok(());
        }
        let used: Vec<String> = self.tables.keys().cloned().collect();
        if Filter::read(connection, &self.name, &used, &self.role).await? != self.filters {
            let message = "the policies of row-level security have changed";
            return Err(Failure::new(Reason::SchemaChanged, message));
        }
        connection.execute(sqlx::raw_sql("SET LOCAL row_security = on")).await.map(drop)
    }

    /// Returns the tables and columns that the role may read.
    pub fn readable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.iter().flat_map(|(table, found)| {
            let readable = found.columns.iter().filter(|(_, readable)| **readable);
            readable.map(move |(column, _)| (table.as_str(), column.as_str()))
        })
    }

    /// Returns whether an index begins with these columns and contains every row that a query over them can need.
    pub fn has_index(&self, wanted: &Index) -> bool {
        self.indexes.iter().any(|found| {
            found.table == wanted.table
                && found.columns.len() >= wanted.columns.len()
                && found.columns.iter().zip(wanted.columns).all(|(found, wanted)| found == wanted)
                && match (found.predicate.as_deref(), wanted.predicate) {
                    (None, wanted) => wanted.is_none(),
                    (Some(found), Some(wanted)) => normalized(found) == normalized(wanted),
                    // The condition omits only rows with NULL, which no comparison with the column returns.
                    (Some(found), None) => normalized(found) == format!("{} is not null", wanted.columns[0]),
                }
        })
    }

    pub fn is_partitioned(&self, table: &str) -> bool {
        self.tables.get(table).is_some_and(|table| table.partitioned)
    }

    /// Returns the pattern of text that the server can send, for PostgreSQL's `~`. `None` if it can send any text.
    ///
    /// Because one text that it cannot send fails the whole statement, queries compare free text with this.
    pub fn sendable_text(&self) -> Option<&'static str> {
        encoding::sendable_text(&self.encoding)
    }

    /// Whether the server finds the rows of a range of pages without a scan of the whole table.
    pub(crate) fn reads_ranges_of_pages(&self) -> bool {
        self.version_number >= 140_000
    }

    /// Returns an SQL expression for a text's bytes that never fails. They are UTF-8 unless the database checks no texts.
    pub fn sent(&self, text: &str) -> String {
        encoding::sent(&self.encoding, text)
    }

    /// Returns whether the text can be an argument of a statement in this database.
    pub fn can_receive(&self, text: &str) -> bool {
        text.is_ascii() || ["UTF8", "SQL_ASCII"].contains(&self.encoding.as_str())
    }

    /// Returns the name of the schema's shape, as in `marie_database_info` and `check`. `none` if there is no job table.
    pub fn shape(&self) -> &'static str {
        if !self.tables.contains_key("job") {
            "none"
        } else if self.states.is_empty() {
            "page"
        } else if self.tables.contains_key("job_attempt") {
            "new"
        } else if !self.is_missing(&Need::Columns("job", &["branch_metadata"])) {
            "mid"
        } else {
            "old"
        }
    }
}

/// Returns a condition without what PostgreSQL adds when it prints one: casts, parentheses, its own form of a list.
fn normalized(condition: &str) -> String {
    static ADDED: Lazy<Regex> = Lazy::new(|| {
        Regex::new(r#"::("([^"]|"")*"\.|\w+\.)?("([^"]|"")*"|\w+)( varying)?(\[\])?|[()\[\]]"#)
            .expect("a constant pattern, which the tests compile")
    });
    let condition = condition.to_lowercase();
    ADDED.replace_all(&condition, "").replace("<> all array", "not in ")
}
