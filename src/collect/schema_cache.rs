//! What both lanes know of the database: its schema, read again once a minute by whichever lane finds it too old,
//! and the inventory of the queues found in `job`, which one of the lanes takes when it is due.

mod inventory;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use tracing::{info, warn};

use self::inventory::Inventory;
use crate::collect::queue_labels::{self, LONGEST, MOST_BYTES, QueueInventory, QueueLabels};
use crate::config::Config;
use crate::postgres::{Failure, Reason, Run, Session};
use crate::schema::Schema;

/// Soon enough for a migration or a grant, and seldom enough to cost nothing.
const MAXIMUM_AGE: Duration = Duration::from_mins(1);

/// Who wants numbers more often also wants to see a migration sooner: so many fast rounds at most.
const MAXIMUM_ROUNDS: u32 = 4;

#[derive(Debug, Default)]
pub struct SchemaCache(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    schema: Option<Arc<Schema>>,
    /// How long the schema is taken for true; none where it has proved wrong.
    good_until: Option<Instant>,
    inventory: Arc<QueueInventory>,
    next_inventory: Option<Instant>,
    /// Whether queues without a label of their own were logged.
    are_unnamed_logged: bool,
}

impl Known {
    fn good_schema(&self) -> Option<Arc<Schema>> {
        self.good_until.filter(|end| Instant::now() < *end).and(self.schema.clone())
    }
}

impl SchemaCache {
    /// The schema, read again inside the transaction of `run` where it is too old; the flag says whether it was.
    ///
    /// # Errors
    /// Any failure of the database.
    pub async fn schema(&self, run: &mut Run, config: &Config) -> Result<(Arc<Schema>, bool), Failure> {
        if let Some(schema) = self.lock().good_schema() {
            return Ok((schema, false));
        }
        let name = &config.database.schema;
        let read = Schema::read(run, name).await;
        let mut known = self.lock();
        let schema = match read {
            Ok(schema) => Arc::new(schema),
            Err(failure) => {
                // A lock that somebody holds on one table may keep the catalog from being read. That must not
                // fail the collectors of all other tables, so they go on with what is known.
                known.good_until = known.good_until.map(|_| Instant::now() + maximum_age(config));
                return Err(failure);
            }
        };
        let is_announced = |before: &Schema| {
            before.shape() == schema.shape()
                && before.unknown_states() == schema.unknown_states()
                && before.untrusted().eq(schema.untrusted())
        };
        if !known.schema.as_deref().is_some_and(is_announced) {
            announce(name.as_str(), &schema);
        }
        known.schema = Some(Arc::clone(&schema));
        known.good_until = Some(Instant::now() + maximum_age(config));
        Ok((schema, true))
    }

    /// Whether the inventory should be taken again.
    pub fn is_inventory_due(&self) -> bool {
        self.lock().next_inventory.is_none_or(|due| due <= Instant::now())
    }

    /// Takes the inventory and returns how long the database worked for it. Where no index leads with the queue's name this is a pass over the history, and keeps
    /// to the load budget like any collector.
    ///
    /// # Errors
    /// Where the database cannot be reached. After any other failure the inventory before is kept.
    pub async fn take_inventory(
        &self,
        session: &mut Session,
        config: &Config,
        schema: &Schema,
    ) -> Result<(Result<(), Failure>, Duration), Failure> {
        if schema.lack(&queue_labels::NAMES_IN_JOB).is_some() {
            return Ok((Ok(()), Duration::ZERO));
        }
        let Inventory { outcome: inventory, busy } = inventory::take(session, config, schema).await?;
        let pause = maximum_age(config).max(config.collectors.pause_after(busy));
        let mut known = self.lock();
        // A lost connection says nothing of the inventory, and whoever finds it again takes it at once.
        if !matches!(&inventory, Err(failure) if failure.reason == Reason::Unavailable) {
            known.next_inventory = Some(Instant::now() + pause);
        }
        let outcome = inventory.map(|inventory| known.inventory = Arc::new(inventory));
        Ok((outcome, busy))
    }

    /// The queues found in `job`, none before the first inventory.
    pub fn inventory(&self) -> Arc<QueueInventory> {
        Arc::clone(&self.lock().inventory)
    }

    /// Logs once that some queues have no label of their own, whatever the limit.
    pub fn note_queues(&self, queues: &QueueLabels) {
        if !queues.are_all_known() && !std::mem::replace(&mut self.lock().are_unnamed_logged, true) {
            warn!(
                "some queue names are longer than {LONGEST} characters or {MOST_BYTES} bytes, are not valid text, or are too many to be read: \
                 their jobs count as queue=\"other\", and they match no --queues.include or --queues.exclude"
            );
        }
    }

    /// The schema as it was last read, however long ago.
    pub fn last_schema(&self) -> Option<Arc<Schema>> {
        self.lock().schema.clone()
    }

    /// Has the next run read the schema again: it is not what we took it for.
    pub fn invalidate(&self) {
        self.lock().good_until = None;
    }

    /// Held to copy or to replace what is known, never across a query.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }
}

fn maximum_age(config: &Config) -> Duration {
    MAXIMUM_AGE.min(config.collectors.interval.saturating_mul(MAXIMUM_ROUNDS))
}

fn announce(name: &str, schema: &Schema) {
    info!(schema = name, shape = schema.shape(), server = schema.server_version, "looked at the database");
    for untrusted in schema.untrusted() {
        warn!(why = %untrusted, "a relation is not used");
    }
    for state in schema.unknown_states() {
        warn!(state, "a job state that this exporter does not know: its jobs count as finished");
    }
}
