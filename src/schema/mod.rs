//! What this database has: tables, columns, indexes and state labels. Four shapes of Marie's schema are in
//! the field and all of them say version 1, so everything is told from the catalog. Collectors ask here
//! whether what a query needs is there and whether an index serves it.
//!
//! [`read`] reads the catalog, [`trust`] says which relations are not used and why, [`filter`] which ones row-level
//! security filters.

mod encoding;
mod filter;
mod locks;
mod need;
pub mod queue_partitions;
mod read;
mod states;
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

/// The tables that statements name. Nothing else in the schema is looked at: a role that may create tables there
/// could otherwise make the look arbitrarily expensive.
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

#[derive(Debug, Clone)]
struct Table {
    partitioned: bool,
    /// Column name → readable.
    columns: BTreeMap<String, bool>,
    /// What row-level security keeps back from our role.
    filter: Option<Filter>,
}

#[derive(Debug, Clone)]
struct FoundIndex {
    table: String,
    columns: Vec<String>,
    predicate: Option<String>,
}

/// The catalog's answer at one instant.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The schema's name, with which statements over it are qualified.
    pub name: SchemaName,
    tables: BTreeMap<String, Table>,
    /// Relations that are not used, and count as missing.
    untrusted: BTreeMap<String, Untrusted>,
    /// Views that are used: which rows they leave out is not known.
    views: BTreeSet<String>,
    /// Filters as they were read, those that keep nothing back among them.
    filters: Vec<Filter>,
    indexes: Vec<FoundIndex>,
    relations: BTreeMap<String, Relations>,
    states: Vec<String>,
    /// Our role.
    pub role: String,
    /// The server's name of the database's encoding.
    encoding: String,
    /// How many locks all sessions of the server can hold together.
    pub lock_table: u64,
    /// How many locks one transaction of ours may take on the tables that it reads.
    pub locks_allowed: u64,
    pub server_version: String,
    /// The server's version as a number, such as 150014.
    version_number: i64,
    pub in_recovery: bool,
    /// The database's clock minus ours, in seconds.
    pub clock_offset: f64,
}

impl Schema {
    /// # Errors
    /// Where the scheduler is not here.
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

    /// What of `need` this database lacks, if anything.
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

    /// Whether something of `need` is not there, whatever our rights.
    pub fn is_missing(&self, need: &Need) -> bool {
        matches!(self.lack(need), Some(Lack::Missing(_)))
    }

    /// Relations that are not used, and why.
    pub fn untrusted(&self) -> impl Iterator<Item = &Untrusted> {
        self.untrusted.values()
    }

    /// Of these tables, the names of those that are here and used.
    pub fn used<'a>(&self, tables: &[&'a str]) -> Vec<&'a str> {
        tables.iter().copied().filter(|table| self.tables.contains_key(*table)).collect()
    }

    /// Views in place of tables.
    pub fn views(&self) -> impl Iterator<Item = &str> {
        self.views.iter().map(String::as_str)
    }

    /// What row-level security keeps back from our role.
    pub fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.tables.values().filter_map(|table| table.filter.as_ref())
    }

    /// Lets the transaction read tables under policies that keep nothing from our role.
    ///
    /// Without it PostgreSQL refuses to read a table under any policy (`row_security` is off). Because a policy can
    /// change at any moment, the policies are compared with those known.
    ///
    /// # Errors
    /// [`Reason::SchemaChanged`] where they are others now.
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

    /// Every table's columns that our role may read.
    pub fn readable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.iter().flat_map(|(table, found)| {
            let readable = found.columns.iter().filter(|(_, readable)| **readable);
            readable.map(move |(column, _)| (table.as_str(), column.as_str()))
        })
    }

    /// Whether an index begins with these columns and holds every row that a query over them can want.
    pub fn has_index(&self, wanted: &Index) -> bool {
        self.indexes.iter().any(|found| {
            found.table == wanted.table
                && found.columns.len() >= wanted.columns.len()
                && found.columns.iter().zip(wanted.columns).all(|(found, wanted)| found == wanted)
                && match (found.predicate.as_deref(), wanted.predicate) {
                    (None, wanted) => wanted.is_none(),
                    (Some(found), Some(wanted)) => plain(found) == plain(wanted),
                    // A comparison with a column never holds for NULL, so this condition hides nothing.
                    (Some(found), None) => plain(found) == format!("{} is not null", wanted.columns[0]),
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

    /// An expression for the bytes of a text, in UTF-8 as far as the database knows its encoding, that never fails.
    pub fn sent(&self, text: &str) -> String {
        encoding::sent(&self.encoding, text)
    }

    /// Whether text of ours can be an argument of a statement here.
    pub fn can_receive(&self, text: &str) -> bool {
        text.is_ascii() || ["UTF8", "SQL_ASCII"].contains(&self.encoding.as_str())
    }

    /// Which of the four shapes in the field this is, as `marie_database_info` and `check` name it.
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

/// A condition without what PostgreSQL adds when it prints one back: casts, parentheses, its own form of a list.
fn plain(condition: &str) -> String {
    static ADDED: Lazy<Regex> = Lazy::new(|| {
        Regex::new(r#"::("([^"]|"")*"\.|\w+\.)?("([^"]|"")*"|\w+)( varying)?(\[\])?|[()\[\]]"#)
            .expect("a constant pattern, which the tests compile")
    });
    let condition = condition.to_lowercase();
    ADDED.replace_all(&condition, "").replace("<> all array", "not in ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_index(columns: &[&str], predicate: Option<&str>) -> Schema {
        Schema {
            indexes: vec![FoundIndex {
                table: "job".to_owned(),
                columns: columns.iter().map(ToString::to_string).collect(),
                predicate: predicate.map(str::to_owned),
            }],
            ..Schema::default()
        }
    }

    #[test]
    fn index_is_usable_by_its_first_columns_and_rows() {
        let completed = Index { table: "job", columns: &["completed_on"], predicate: None };
        let retried = Index { table: "job", columns: &["name"], predicate: Some("retry_count > 0") };
        let rewritten = Index { table: "job", columns: &["id"], predicate: Some("state <> 'completed'") };
        let open =
            Index { table: "job", columns: &["id"], predicate: Some("state not in ('completed', 'failed')") };
        let printed = "((state)::text <> ALL ((ARRAY['completed'::character varying, \
                       'failed'::character varying])::text[]))";
        for (serves, wanted, columns, predicate) in [
            (true, &completed, ["completed_on"].as_slice(), None),
            (true, &completed, &["completed_on", "name"], Some("(completed_on IS NOT NULL)")),
            (false, &completed, &["name", "completed_on"], None),
            (false, &completed, &["completed_on"], Some("(state = 'failed'::job_state)")),
            (true, &retried, &["name"], Some("(retry_count > 0)")),
            (false, &retried, &["name"], None),
            (true, &open, &["id", "state"], Some(printed)),
            (true, &rewritten, &["id"], Some("(state <> 'completed'::marie_scheduler.job_state)")),
            (true, &rewritten, &["id"], Some(r#"(state <> 'completed'::"the ""best"" (one)".job_state)"#)),
            (true, &rewritten, &["id"], Some("(state <> 'completed'::text)")),
            (false, &rewritten, &["id"], Some("(state <> 'failed'::job_state)")),
        ] {
            assert_eq!(with_index(columns, predicate).has_index(wanted), serves, "{columns:?} {predicate:?}");
        }
    }
}
