//! The schema, the queue inventory and the queue labels, cached from run to run.
//!
//! The schema and the queue inventory, the names of the queues in `job`, are read again once a minute ([`inventory`]).

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

/// Age at which the schema expires: a migration or a grant takes effect within a minute.
const MAXIMUM_AGE: Duration = Duration::from_mins(1);

/// Age in fast intervals at which the schema expires, if that is sooner.
const MAXIMUM_INTERVALS: u32 = 4;

/// Cache of the schema and the queue inventory.
#[derive(Debug, Default)]
pub struct SchemaCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    schema: Option<Arc<Schema>>,
    /// When the schema expires; `None` if it has been invalidated.
    valid_until: Option<Instant>,
    inventory: Arc<QueueInventory>,
    queues: QueueLabels,
    next_inventory: Option<Instant>,
    /// Whether the warning about names that cannot be labels was logged.
    is_warning_logged: bool,
}

impl Cached {
    /// Returns the schema if it has not expired.
    fn valid_schema(&self) -> Option<Arc<Schema>> {
        self.valid_until.filter(|end| Instant::now() < *end).and(self.schema.clone())
    }
}

impl SchemaCache {
    /// Returns the schema and whether it was read now, in the transaction of `run`, because the cached one had expired.
    pub async fn schema(&self, run: &mut Run, config: &Config) -> Result<(Arc<Schema>, bool), Failure> {
        if let Some(schema) = self.lock().valid_schema() {
            return Ok((schema, false));
        }
        let name = &config.database.schema;
        let before = run.busy();
        let read = Schema::read(run, name).await;
        let pause = maximum_age(config).max(pause_after(config, run.busy().saturating_sub(before)));
        let mut cached = self.lock();
        let schema = match read {
            Ok(schema) => Arc::new(schema),
            Err(failure) => {
                cached.valid_until = cached.valid_until.map(|_| Instant::now() + pause);
                return Err(failure);
            }
        };
        let is_logged = |before: &Schema| {
            before.shape() == schema.shape()
                && before.unknown_states() == schema.unknown_states()
                && before.untrusted().eq(schema.untrusted())
        };
        if !cached.schema.as_deref().is_some_and(is_logged) {
            log_schema(name.as_str(), &schema);
        }
        cached.schema = Some(Arc::clone(&schema));
        cached.valid_until = Some(Instant::now() + pause);
        Ok((schema, true))
    }

    /// Returns whether the queue inventory should be read again.
    pub fn is_inventory_due(&self) -> bool {
        self.lock().next_inventory.is_none_or(|due| due <= Instant::now())
    }

    /// Reads the queue inventory and returns how long the database was busy.
    ///
    /// Without an index that leads with the queue's name this is a pass over the history, so it respects the load
    /// budget as a collector does.
    ///
    /// # Errors
    /// If the database cannot be reached. The inner result has any other failure; the cached inventory then stays.
    pub async fn read_inventory(
        &self,
        session: &mut Session,
        config: &Config,
        schema: &Schema,
    ) -> Result<(Result<(), Failure>, Duration), Failure> {
        if schema.lack(&queue_labels::NAMES_IN_JOB).is_some() {
            self.lock().next_inventory = Some(Instant::now() + maximum_age(config));
            return Ok((Ok(()), Duration::ZERO));
        }
        let Inventory { outcome: inventory, busy } = inventory::read(session, config, schema).await?;
        let pause = maximum_age(config).max(pause_after(config, busy));
        let mut cached = self.lock();
        // After a lost connection the inventory stays due.
        if !matches!(&inventory, Err(failure) if failure.reason == Reason::Unavailable) {
            cached.next_inventory = Some(Instant::now() + pause);
        }
        let outcome = inventory.map(|inventory| cached.inventory = Arc::new(inventory));
        Ok((outcome, busy))
    }

    /// Returns the queue inventory, which is empty until it is first read.
    pub fn inventory(&self) -> Arc<QueueInventory> {
        Arc::clone(&self.lock().inventory)
    }

    /// Returns the queue labels of the latest run that could read them.
    pub fn last_queues(&self) -> QueueLabels {
        self.lock().queues.clone()
    }

    /// Stores the queue labels, and logs once that some queues have no label of their own, even within the limit.
    pub fn note_queues(&self, queues: &QueueLabels) {
        self.lock().queues = queues.clone();
        if !queues.are_all_known() && !std::mem::replace(&mut self.lock().is_warning_logged, true) {
            warn!(
                "some queue names are longer than {LONGEST} characters or {MOST_BYTES} bytes, are not valid text, or are too many to be read: \
                 their jobs count as queue=\"other\", and they match no --queues.include or --queues.exclude"
            );
        }
    }

    /// Returns the schema as it was last read, even if it has expired.
    pub fn last_schema(&self) -> Option<Arc<Schema>> {
        self.lock().schema.clone()
    }

    /// Expires the schema at once, because the database may have changed.
    pub fn invalidate(&self) {
        self.lock().valid_until = None;
    }

    /// Locks the cache, only to copy or to replace its contents, never across a query.
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock()
    }
}

/// Returns the pause after reading the catalog for so long: the schema and the queue inventory take at most a quarter of the
/// load budget each.
fn pause_after(config: &Config, busy: Duration) -> Duration {
    config.collectors.pause_after(busy.saturating_mul(4))
}

/// Returns the age at which schema and inventory expire.
fn maximum_age(config: &Config) -> Duration {
    MAXIMUM_AGE.min(config.collectors.interval.saturating_mul(MAXIMUM_INTERVALS))
}

/// Logs the properties of the schema that an operator should know.
fn log_schema(name: &str, schema: &Schema) {
    info!(
        schema = name,
        shape = schema.shape(),
        server = schema.server_version,
        "read the schema of the database"
    );
    for untrusted in schema.untrusted() {
        warn!(why = %untrusted, "a relation is not used");
    }
    for state in schema.unknown_states() {
        warn!(state, "a job state that this exporter does not know: its jobs count as finished");
    }
}
