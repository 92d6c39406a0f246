//! Which queues there are, and under which name each is published. Clients create queues, each with a
//! silent `$…_dlq` twin, so names are filtered, twins without a job are left out, and beyond the limit
//! the rest is summed as `other`.

use std::collections::BTreeSet;

use sqlx::Row;

use crate::config::QueuesConfig;
use crate::database::{Connection, Failure};
use crate::schema::{Need, Schema};

/// The label that holds `job.name`.
pub const LABEL: &str = "queue";

/// What [`Queues`] and [`QueueCensus`] read.
pub const KNOWN: Need = Need::Columns("queue", &["name"]);
pub const CENSUS: Need = Need::Columns("job", &["name", "state"]);

/// Stands for all the queues beyond the limit.
pub const OTHER: &str = "other";

/// Clients may name a queue with 10,000 characters; each of its series would carry them in every scrape. So a
/// longer name than this is no label, and its queue a part of `other`.
pub const LONGEST: usize = 200;

/// Names found in `job` itself, whatever the table `queue` says, and how busy each is. Read less often
/// than [`Queues`]: where no index leads with the name it costs a pass over the table.
#[derive(Debug, Clone, Default)]
pub struct QueueCensus {
    /// Distinct `job.name`.
    pub names: BTreeSet<String>,
    /// Queues by their number of unfinished jobs, busiest first; those without are not listed.
    pub busiest: Vec<String>,
}

impl QueueCensus {
    /// # Errors
    /// Any error of the database, a statement time-out on a large table without a useful index among them.
    pub async fn read(connection: &mut Connection, schema: &Schema) -> Result<Self, Failure> {
        let names = if schema.has_index(&crate::schema::Index {
            table: "job",
            columns: &["name"],
            predicate: None,
        }) {
            include_str!("queues/names_by_index.sql")
        } else {
            include_str!("queues/names.sql")
        };
        Ok(QueueCensus {
            names: strings(connection, schema, names).await?.into_iter().collect(),
            busiest: strings(connection, schema, include_str!("queues/busiest.sql")).await?,
        })
    }
}

/// The queues of one run.
#[derive(Debug, Clone, Default)]
pub struct Queues {
    known: Vec<String>,
    published: BTreeSet<String>,
    selection: QueuesConfig,
}

impl Queues {
    /// Joins the rows of `queue` as they are in this transaction with the names found in `job`.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn read(
        connection: &mut Connection,
        schema: &Schema,
        census: &QueueCensus,
        selection: &QueuesConfig,
    ) -> Result<Self, Failure> {
        let mut names = census.names.clone();
        if schema.lacks(&KNOWN).is_none() {
            names.extend(strings(connection, schema, include_str!("queues/queues.sql")).await?);
        }
        Ok(Queues::new(names, &census.busiest, selection))
    }

    /// Of these names; `busiest` tells which keep their own series where there are too many.
    pub fn new(names: BTreeSet<String>, busiest: &[String], selection: &QueuesConfig) -> Self {
        let known: Vec<String> = names.into_iter().filter(|name| selection.admits(name)).collect();
        let busy = busiest.iter().filter(|name| known.binary_search(name).is_ok());
        // Idle queues follow by name: an order that does not change by itself.
        let mut published: BTreeSet<String> = BTreeSet::new();
        for name in busy.chain(&known).filter(|name| can_be_a_label(name)) {
            if published.len() == selection.limit {
                break;
            }
            published.insert(name.clone());
        }
        Queues { known, published, selection: selection.clone() }
    }

    /// All queues that have series of their own or a part in `other`, by name.
    pub fn known(&self) -> &[String] {
        &self.known
    }

    /// Publishes a queue that came up since the census under its name while there is room.
    pub fn admit(&mut self, name: &str) {
        let has_room = self.published.len() < self.selection.limit;
        if has_room && !self.published.contains(name) && self.selection.admits(name) && can_be_a_label(name) {
            self.published.insert(name.to_owned());
        }
    }

    /// The label for a queue: its name, `other`, or none where it is not selected.
    pub fn label(&self, name: &str) -> Option<String> {
        if self.published.contains(name) {
            Some(name.to_owned())
        } else if self.selection.admits(name) {
            Some(OTHER.to_owned())
        } else {
            None
        }
    }
}

fn can_be_a_label(name: &str) -> bool {
    name.chars().nth(LONGEST).is_none()
}

async fn strings(
    connection: &mut Connection,
    schema: &Schema,
    sql: &'static str,
) -> Result<Vec<String>, Failure> {
    let rows = connection.fetch_all(sqlx::query(schema.name.statement(sql))).await?;
    Ok(rows.iter().map(|row| row.try_get("queue")).collect::<Result<_, sqlx::Error>>()?)
}
