//! Queue labels: the name under which each queue of the database is published, its own or `other`.
//!
//! Inputs: the names in the tables `job` and `queue`, which clients choose, and the configuration. Output: [`QueueLabels`],
//! with the arguments of queries by queue (`collector::by_queue`). The length and the number of names that are read are
//! limited, so that memory does not grow with what clients write.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, Row};

use crate::config::QueuesConfig;
use crate::postgres::{Connection, Failure};
use crate::schema::{Need, Schema};

/// The label whose value is `job.name`.
pub const LABEL: &str = "queue";

/// The columns that [`QueueLabels`] reads.
pub const NAMES_IN_QUEUE: Need = Need::Columns("queue", &["name"]);

/// The columns that [`QueueInventory`] reads.
pub const NAMES_IN_JOB: Need = Need::Columns("job", &["name", "state"]);

/// Label of all queues without a label of their own.
pub const OTHER: &str = "other";

/// Most characters of a label. A queue with a longer name is published as `other`.
///
/// The limit bounds the size of a scrape, because clients choose names. The SQL files repeat both numbers.
pub const LONGEST: usize = 200;

/// Most bytes of a label, because 200 characters can have 800 bytes.
pub const MOST_BYTES: usize = 400;

/// Most names that are read besides the published ones. Further names are not matched with the configuration's patterns.
const UNPUBLISHED_NAMES: usize = 2_000;

/// Most names newer than the inventory that a query returns one by one, so that the patterns can be matched.
const NEW_NAMES: usize = 1_000;

/// Names of queues that one query returned.
#[derive(Debug, Clone, Default)]
struct Names {
    /// Names that can be labels, as far as they were read.
    names: BTreeSet<String>,
    /// Whether more names exist.
    has_more: bool,
}

impl Names {
    async fn read(
        connection: &mut Connection,
        schema: &Schema,
        sql: &'static str,
        most: usize,
    ) -> Result<Self, Failure> {
        Ok(Names::new(read_names(connection, schema, sql, most.saturating_add(1)).await?, most))
    }

    /// Keeps the first `most` names. A `None` among them means that other names cannot be labels.
    fn new(names: Vec<Option<String>>, most: usize) -> Self {
        let count = names.len();
        let mut names: BTreeSet<String> = names.into_iter().flatten().collect();
        let mut has_more = names.len() < count;
        while names.len() > most {
            names.pop_last();
            has_more = true;
        }
        Names { names, has_more }
    }
}

/// Queue inventory: the queues in `job`, which the table `queue` need not contain, and how busy each queue is.
///
/// Without an index that begins with the name, reading it costs a pass over the table. It is therefore read less often
/// than [`QueueLabels`].
#[derive(Debug, Clone, Default)]
pub struct QueueInventory {
    names: Names,
    /// Queues with unfinished jobs, busiest first.
    busiest: Vec<String>,
}

impl QueueInventory {
    /// Reads the inventory in one transaction. Without a useful index on a large table this can time out.
    pub async fn read(
        connection: &mut Connection,
        schema: &Schema,
        selection: &QueuesConfig,
    ) -> Result<Self, Failure> {
        let names = if schema.has_index(&crate::schema::Index {
            table: "job",
            columns: &["name"],
            predicate: None,
        }) {
            include_str!("queue_labels/names_by_index.sql")
        } else {
            include_str!("queue_labels/names.sql")
        };
        let most = most_names(selection);
        let busiest = read_names(connection, schema, include_str!("queue_labels/busiest.sql"), most).await?;
        Ok(QueueInventory {
            names: Names::read(connection, schema, names, most).await?,
            busiest: busiest.into_iter().flatten().collect(),
        })
    }

    /// Builds the inventory from the rows of several transactions.
    ///
    /// # Errors
    /// If a row lacks a column.
    pub fn from_rows<'a>(
        names: impl Iterator<Item = &'a PgRow>,
        busiest: impl Iterator<Item = &'a PgRow>,
        selection: &QueuesConfig,
    ) -> Result<Self, Failure> {
        let names = names.map(|row| row.try_get("queue")).collect::<Result<_, sqlx::Error>>()?;
        let by_jobs = |row: &PgRow| Ok((Reverse(row.try_get::<i64, _>("jobs")?), row.try_get("queue")?));
        let mut by_jobs: Vec<(Reverse<i64>, String)> =
            busiest.map(by_jobs).collect::<Result<_, sqlx::Error>>()?;
        by_jobs.sort_unstable();
        Ok(QueueInventory {
            names: Names::new(names, most_names(selection)),
            busiest: by_jobs.into_iter().map(|(_, queue)| queue).take(most_names(selection)).collect(),
        })
    }

    /// Returns whether some names cannot be labels or were not read.
    pub fn has_more(&self) -> bool {
        self.names.has_more
    }
}

/// Queues of one run and the label of each.
#[derive(Debug, Clone, Default)]
pub struct QueueLabels {
    known: Vec<String>,
    published: BTreeSet<String>,
    excluded: Vec<String>,
    /// Whether some names cannot be labels or were not read.
    has_more: bool,
    selection: QueuesConfig,
}

impl QueueLabels {
    /// Reads the rows of `queue` in this transaction and joins them with the inventory.
    pub async fn read(
        connection: &mut Connection,
        schema: &Schema,
        inventory: &QueueInventory,
        selection: &QueuesConfig,
    ) -> Result<Self, Failure> {
        let Names { mut names, mut has_more } = inventory.names.clone();
        if schema.lack(&NAMES_IN_QUEUE).is_none() {
            let sql = include_str!("queue_labels/queues.sql");
            let rows = Names::read(connection, schema, sql, most_names(selection)).await?;
            names.extend(rows.names);
            has_more |= rows.has_more;
        }
        Ok(QueueLabels { has_more, ..QueueLabels::new(names, &inventory.busiest, selection) })
    }

    /// Chooses the queues with series of their own: the first of `busiest`, then by name.
    pub fn new(names: BTreeSet<String>, busiest: &[String], selection: &QueuesConfig) -> Self {
        let (known, excluded): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| selection.selects(name));
        let busy = busiest.iter().filter(|name| known.binary_search(name).is_ok());
        // Idle queues follow by name, an order that does not change while they are idle.
        let mut published: BTreeSet<String> = BTreeSet::new();
        for name in busy.chain(&known).filter(|name| can_be_a_label(name)) {
            if published.len() == selection.limit {
                break;
            }
            published.insert(name.clone());
        }
        QueueLabels { known, published, excluded, has_more: false, selection: selection.clone() }
    }

    /// Returns the queues that have series of their own or are part of `other`, by name, as far as their names were read.
    pub fn known(&self) -> &[String] {
        &self.known
    }

    /// Returns whether all queues are [known](QueueLabels::known).
    pub fn are_all_known(&self) -> bool {
        !self.has_more
    }

    /// Returns the queues with series of their own, by name.
    pub fn published(&self) -> impl Iterator<Item = &String> {
        self.published.iter()
    }

    /// Returns the labels for a transaction that covers the queues `own`. The transaction also reads the queues `beside`, but
    /// returns no rows for them.
    #[must_use]
    pub fn part(&self, own: &[String], beside: &[String]) -> QueueLabels {
        let is_own = |name: &&String| own.contains(name);
        QueueLabels {
            known: self.known.iter().filter(is_own).cloned().collect(),
            published: self.published.iter().filter(is_own).cloned().collect(),
            excluded: self.excluded.iter().filter(is_own).chain(beside).cloned().collect(),
            ..self.clone()
        }
    }

    /// Gives a queue that is newer than the inventory a label of its own, if the limit allows.
    pub fn assign(&mut self, name: &str) {
        let has_room = self.published.len() < self.selection.limit;
        if has_room && !self.published.contains(name) && self.selection.selects(name) && can_be_a_label(name)
        {
            self.published.insert(name.to_owned());
        }
    }

    /// Returns the label of a queue: its name or `other`; `None` if the configuration excludes it.
    pub fn label(&self, name: &str) -> Option<String> {
        if self.published.contains(name) {
            Some(name.to_owned())
        } else if self.selection.selects(name) {
            Some(OTHER.to_owned())
        } else {
            None
        }
    }

    /// Returns the arguments $1 to $6 of a query by queue, see `collector::by_queue`.
    ///
    /// # Errors
    /// If they cannot be encoded.
    pub fn arguments(&self, schema: &Schema) -> Result<PgArguments, BoxDynError> {
        let has_pattern = self.selection.include.is_some() || self.selection.exclude.is_some();
        let merges_more = self.selection.include.is_none();
        let summed: Vec<&String> = self.known.iter().filter(|name| !self.published.contains(*name)).collect();
        let mut own: Vec<Option<&String>> = self.published.iter().map(Some).collect();
        if !summed.is_empty() || self.has_more && merges_more {
            own.push(None);
        }
        let room = self.selection.limit.saturating_sub(self.published.len());
        // If names were not read, they cannot be distinguished from new ones.
        let new_names = if has_pattern && !self.has_more { room.max(NEW_NAMES) } else { room };
        let mut arguments = PgArguments::default();
        arguments.add(own)?;
        arguments.add(summed)?;
        arguments.add(&self.excluded)?;
        arguments.add(i64::try_from(new_names)?)?;
        arguments.add(merges_more)?;
        arguments.add(schema.sendable_text())?;
        Ok(arguments)
    }
}

/// Returns whether a name chosen by a client is short enough for a label.
pub fn can_be_a_label(name: &str) -> bool {
    name.len() <= MOST_BYTES && name.chars().nth(LONGEST).is_none()
}

/// Returns the arguments of a query for names: the pattern of text that the server can send, and the most names.
///
/// # Errors
/// If they cannot be encoded.
pub fn name_arguments(schema: &Schema, selection: &QueuesConfig) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(schema.sendable_text())?;
    arguments.add(i64::try_from(most_names(selection).saturating_add(1))?)?;
    Ok(arguments)
}

/// Returns the most names that are read.
fn most_names(selection: &QueuesConfig) -> usize {
    selection.limit.saturating_add(UNPUBLISHED_NAMES)
}

async fn read_names(
    connection: &mut Connection,
    schema: &Schema,
    sql: &'static str,
    most: usize,
) -> Result<Vec<Option<String>>, Failure> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let statement = sqlx::query(schema.name.statement(sql)).bind(schema.sendable_text()).bind(most);
    let rows = connection.fetch_all(statement).await?;
    rows.iter().map(|row| Ok(row.try_get("queue")?)).collect()
}
