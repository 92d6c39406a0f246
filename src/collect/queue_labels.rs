//! The queues of a database, and the name under which each is published.
//!
//! Input: names from the tables `job` and `queue`, which clients choose, and the configuration. Output: [`QueueLabels`], with
//! the arguments by which queries sum the queues without series of their own (`collector::by_queue`). Names are read up
//! to a length and a number, so that memory does not grow with what clients write.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, Row};

use crate::config::QueuesConfig;
use crate::postgres::{Connection, Failure};
use crate::schema::{Need, Schema};

/// The label that holds `job.name`.
pub const LABEL: &str = "queue";

/// What [`QueueLabels`] and [`QueueInventory`] read.
pub const NAMES_IN_QUEUE: Need = Need::Columns("queue", &["name"]);
pub const NAMES_IN_JOB: Need = Need::Columns("job", &["name", "state"]);

/// Stands for all the queues beyond the limit.
pub const OTHER: &str = "other";

/// Clients may name a queue with 10,000 characters; each of its series would carry them in every scrape. So a
/// longer name than this is no label, and its queue a part of `other`. The SQL files repeat both numbers.
pub const LONGEST: usize = 200;

/// The same in bytes: 200 characters can be 800.
pub const MOST_BYTES: usize = 400;

/// Names that are read beyond those that are published. Further names match no pattern of the configuration.
const NAMES: usize = 2_000;

/// Names that came up since the inventory and that a query returns one by one, so that the patterns can be applied.
const NEWCOMERS: usize = 1_000;

/// Names of queues as one query returns them.
#[derive(Debug, Clone, Default)]
struct Names {
    /// Those that can be a label, up to the most that are read.
    names: BTreeSet<String>,
    /// Whether there are others.
    has_more: bool,
}

impl Names {
    async fn read(
        connection: &mut Connection,
        schema: &Schema,
        sql: &'static str,
        most: usize,
    ) -> Result<Self, Failure> {
        Ok(Names::of(strings(connection, schema, sql, most.saturating_add(1)).await?, most))
    }

    /// Of names that can be a label, and `None` where there are others.
    fn of(names: Vec<Option<String>>, most: usize) -> Self {
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

/// Names found in `job` itself, whatever the table `queue` says, and how busy each is. Read less often
/// than [`QueueLabels`]: where no index leads with the name it costs a pass over the table.
#[derive(Debug, Clone, Default)]
pub struct QueueInventory {
    names: Names,
    /// Queues by their number of unfinished jobs, busiest first; those without are not listed.
    busiest: Vec<String>,
}

impl QueueInventory {
    /// # Errors
    /// Any error of the database, a statement time-out on a large table without a useful index among them.
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
        let busiest = strings(connection, schema, include_str!("queue_labels/busiest.sql"), most).await?;
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
            names: Names::of(names, most_names(selection)),
            busiest: by_jobs.into_iter().map(|(_, queue)| queue).take(most_names(selection)).collect(),
        })
    }

    /// Whether some names can be no label or were not read.
    pub fn has_more(&self) -> bool {
        self.names.has_more
    }
}

/// The queues of one run.
#[derive(Debug, Clone, Default)]
pub struct QueueLabels {
    known: Vec<String>,
    published: BTreeSet<String>,
    excluded: Vec<String>,
    /// Whether there are names that can be no label or were not read.
    has_more: bool,
    selection: QueuesConfig,
}

impl QueueLabels {
    /// Joins the rows of `queue` as they are in this transaction with the names found in `job`.
    ///
    /// # Errors
    /// Any error of the database.
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

    /// Of these names; `busiest` tells which keep their own series where there are too many.
    pub fn new(names: BTreeSet<String>, busiest: &[String], selection: &QueuesConfig) -> Self {
        let (known, excluded): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| selection.selects(name));
        let busy = busiest.iter().filter(|name| known.binary_search(name).is_ok());
        // Idle queues follow by name: an order that does not change by itself.
        let mut published: BTreeSet<String> = BTreeSet::new();
        for name in busy.chain(&known).filter(|name| can_be_a_label(name)) {
            if published.len() == selection.limit {
                break;
            }
            published.insert(name.clone());
        }
        QueueLabels { known, published, excluded, has_more: false, selection: selection.clone() }
    }

    /// The queues that have series of their own or a part in `other`, by name, as far as their names were read.
    pub fn known(&self) -> &[String] {
        &self.known
    }

    /// Whether all queues are [known](QueueLabels::known).
    pub fn are_all_known(&self) -> bool {
        !self.has_more
    }

    /// The queues with series of their own, by name.
    pub fn published(&self) -> impl Iterator<Item = &String> {
        self.published.iter()
    }

    /// The same selection for a transaction that looks at the queues `own` only; those of `beside` are read as well, but
    /// have no rows in its answer.
    #[must_use]
    pub fn of(&self, own: &[String], beside: &[String]) -> QueueLabels {
        let is_own = |name: &&String| own.contains(name);
        QueueLabels {
            known: self.known.iter().filter(is_own).cloned().collect(),
            published: self.published.iter().filter(is_own).cloned().collect(),
            excluded: self.excluded.iter().filter(is_own).chain(beside).cloned().collect(),
            ..self.clone()
        }
    }

    /// Publishes a queue that came up since the inventory under its name while there is room.
    pub fn assign(&mut self, name: &str) {
        let has_room = self.published.len() < self.selection.limit;
        if has_room && !self.published.contains(name) && self.selection.selects(name) && can_be_a_label(name)
        {
            self.published.insert(name.to_owned());
        }
    }

    /// The label for a queue: its name, `other`, or none where it is not selected.
    pub fn label(&self, name: &str) -> Option<String> {
        if self.published.contains(name) {
            Some(name.to_owned())
        } else if self.selection.selects(name) {
            Some(OTHER.to_owned())
        } else {
            None
        }
    }

    /// The arguments $1 to $6 of a query by queue, described at `collector::by_queue`.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn arguments(&self, schema: &Schema) -> Result<PgArguments, BoxDynError> {
        let has_pattern = self.selection.include.is_some() || self.selection.exclude.is_some();
        let counts_more = self.selection.include.is_none();
        let summed: Vec<&String> = self.known.iter().filter(|name| !self.published.contains(*name)).collect();
        let mut own: Vec<Option<&String>> = self.published.iter().map(Some).collect();
        if !summed.is_empty() || self.has_more && counts_more {
            own.push(None);
        }
        let room = self.selection.limit.saturating_sub(self.published.len());
        // Where names were not read, newcomers cannot be told from them.
        let newcomers = if has_pattern && !self.has_more { room.max(NEWCOMERS) } else { room };
        let mut arguments = PgArguments::default();
        arguments.add(own)?;
        arguments.add(summed)?;
        arguments.add(&self.excluded)?;
        arguments.add(i64::try_from(newcomers)?)?;
        arguments.add(counts_more)?;
        arguments.add(schema.sendable_text())?;
        Ok(arguments)
    }
}

/// Whether a name that a client chose is short enough for a label.
pub fn can_be_a_label(name: &str) -> bool {
    name.len() <= MOST_BYTES && name.chars().nth(LONGEST).is_none()
}

/// The arguments of a query for names: the pattern of text that the server can send, and how many names at most.
///
/// # Errors
/// When they cannot be encoded.
pub fn name_arguments(schema: &Schema, selection: &QueuesConfig) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(schema.sendable_text())?;
    arguments.add(i64::try_from(most_names(selection).saturating_add(1))?)?;
    Ok(arguments)
}

fn most_names(selection: &QueuesConfig) -> usize {
    selection.limit.saturating_add(NAMES)
}

async fn strings(
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
