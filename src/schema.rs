//! What this database has: tables, columns, indexes and state labels. Four shapes of Marie's schema are in
//! the field and all of them say version 1, so everything is told from the catalog. Collectors ask here
//! whether what a query needs is there and whether an index serves it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;
use regex::Regex;
use sqlx::Row;

use crate::config::SchemaName;
use crate::database::{Connection, Failure, Reason};
use crate::display_text::escaped;

/// The states in which a job can still move; every shape has them. All others are finished.
pub const UNFINISHED_STATES: [&str; 3] = ["created", "retry", "active"];

/// The finished states that Marie documents, for databases that keep the state as text.
const FINISHED_STATES: [&str; 5] = ["completed", "expired", "cancelled", "failed", "skipped"];

/// Longer than a version with the name of its package.
const VERSION_LENGTH: usize = 100;

/// Something that a query cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// That it is there, which takes no right.
    Table(&'static str),
    /// A table's columns, to read them; [`crate::rights`] are made of these.
    Columns(&'static str, &'static [&'static str]),
    Index(Index),
}

/// An index by definition: a b-tree on `table` that begins with `columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    /// The condition of a partial index.
    pub predicate: Option<&'static str>,
}

/// Why a query cannot run here; the values of the label `reason` of a disabled collector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// Table or column is not in the schema.
    Missing(String),
    /// It is there, and our role may not read it.
    Permission(String),
}

impl Lack {
    pub fn reason(&self) -> &'static str {
        match self {
            Lack::Missing(_) => "missing_table",
            Lack::Permission(_) => "permission",
        }
    }

    pub fn is_permission(&self) -> bool {
        matches!(self, Lack::Permission(_))
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Missing(what) => write!(to, "no {what}"),
            Lack::Permission(what) => write!(to, "{what} may not be read"),
        }
    }
}

#[derive(Debug, Clone)]
struct Table {
    partitioned: bool,
    /// Column name → readable.
    columns: BTreeMap<String, bool>,
}

#[derive(Debug, Clone)]
struct FoundIndex {
    table: String,
    columns: Vec<String>,
    predicate: Option<String>,
}

/// The catalog's answer at one instant.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Default))]
pub struct Schema {
    /// The schema's name, with which statements over it are qualified.
    pub name: SchemaName,
    tables: BTreeMap<String, Table>,
    indexes: Vec<FoundIndex>,
    states: Vec<String>,
    pub server_version: String,
    pub in_recovery: bool,
    /// The database's clock minus ours, in seconds.
    pub clock_offset: f64,
}

impl Schema {
    /// Reads the catalog; cost follows the number of tables, never their size.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn read(connection: &mut Connection, name: &SchemaName) -> Result<Self, Failure> {
        let asked = unix_time();
        let server =
            connection.fetch_one(sqlx::query(include_str!("schema/server.sql")).bind(name.as_str())).await?;
        // The server read its clock somewhere between question and answer.
        let ours = f64::midpoint(asked, unix_time());
        let clock: f64 = server.try_get("clock")?;

        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        let columns = sqlx::query(include_str!("schema/tables.sql")).bind(name.as_str());
        for row in connection.fetch_all(columns).await? {
            let partitioned = row.try_get("partitioned")?;
            tables
                .entry(row.try_get("table_name")?)
                .or_insert_with(|| Table { partitioned, columns: BTreeMap::new() })
                .columns
                .insert(row.try_get("column_name")?, row.try_get("readable")?);
        }
        let indexes = connection
            .fetch_all(sqlx::query(include_str!("schema/indexes.sql")).bind(name.as_str()))
            .await?
            .into_iter()
            .map(|row| {
                Ok(FoundIndex {
                    table: row.try_get("table_name")?,
                    columns: row.try_get("columns")?,
                    predicate: row.try_get("predicate")?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()?;
        Ok(Schema {
            name: name.clone(),
            tables,
            indexes,
            states: server.try_get("states")?,
            server_version: escaped(server.try_get("server_version")?, VERSION_LENGTH),
            in_recovery: server.try_get("in_recovery")?,
            clock_offset: clock - ours,
        })
    }

    /// # Errors
    /// Where the scheduler is not here.
    pub fn has_jobs(&self, name: &SchemaName) -> Result<(), Failure> {
        if self.tables.contains_key("job") {
            return Ok(());
        }
        let message = format!(
            "there is no job table in the schema {}; is --database.schema right, and the database?",
            name.quoted()
        );
        Err(Failure::new(Reason::Other, message))
    }

    /// What of `need` this database lacks, if anything.
    pub fn lacks(&self, need: &Need) -> Option<Lack> {
        match need {
            Need::Table(table) if self.tables.contains_key(*table) => None,
            Need::Table(table) => Some(Lack::Missing(format!("table {table}"))),
            Need::Columns(table, columns) => {
                let Some(found) = self.tables.get(*table) else { return self.lacks(&Need::Table(table)) };
                // What is not there nobody can give a right to, so it is told first.
                if let Some(missing) = columns.iter().find(|column| !found.columns.contains_key(**column)) {
                    return Some(Lack::Missing(format!("column {table}.{missing}")));
                }
                let denied = columns.iter().find(|column| !found.columns[**column])?;
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
        matches!(self.lacks(need), Some(Lack::Missing(_)))
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

    /// Whether jobs may be in any state that somebody thinks of: where it is kept as text.
    pub fn takes_any_state(&self) -> bool {
        self.states.is_empty()
    }

    /// The states that jobs can have here: those of the enum in its own order, or all that Marie documents.
    pub fn states(&self) -> Vec<String> {
        if self.states.is_empty() {
            UNFINISHED_STATES.iter().chain(&FINISHED_STATES).map(ToString::to_string).collect()
        } else {
            self.states.clone()
        }
    }

    /// The finished states that this database knows, in its own order.
    pub fn finished_states(&self) -> Vec<String> {
        let mut states = self.states();
        states.retain(|state| !UNFINISHED_STATES.contains(&state.as_str()));
        states
    }

    /// State labels that this exporter has never heard of: it counts them as finished.
    pub fn unknown_states(&self) -> BTreeSet<&str> {
        self.states
            .iter()
            .map(String::as_str)
            .filter(|state| !UNFINISHED_STATES.contains(state) && !FINISHED_STATES.contains(state))
            .collect()
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
        Regex::new(r"::[a-z]+( varying)?(\[\])?|[()\[\]]")
            .expect("a constant pattern, which the tests compile")
    });
    let condition = condition.to_lowercase();
    ADDED.replace_all(&condition, "").replace("<> all array", "not in ")
}

fn unix_time() -> f64 {
    // A clock before 1970 is a clock that is off; zero says so as well as anything.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
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
    fn an_index_serves_by_what_it_begins_with_and_by_the_rows_that_it_holds() {
        let completed = Index { table: "job", columns: &["completed_on"], predicate: None };
        let retried = Index { table: "job", columns: &["name"], predicate: Some("retry_count > 0") };
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
        ] {
            assert_eq!(with_index(columns, predicate).has_index(wanted), serves, "{columns:?} {predicate:?}");
        }
    }
}
