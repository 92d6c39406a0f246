//! What the lanes share and the server reads: the [`Exporter`], and how a collector's samples are had.
//!
//! There are two lanes, each a task with one connection that runs its collectors one after the other (`lane`):
//! the fast lane what follows unfinished work, the slow lane what reads the history, so that stuck jobs never
//! wait behind a long query.

mod apart;
mod attempt;
pub(crate) mod debt;
mod lane;
mod outage;
mod outcome;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::lane::LaneTask;
use crate::collect::availability::Availability;
use crate::collect::collector::{Collector, Context, Lane, QuerySamples};
use crate::collect::collectors::COLLECTORS;
use crate::collect::events::{self, EventCounter};
use crate::collect::queue_labels::QueueLabels;
use crate::collect::run_status::RunStatus;
use crate::collect::schema_cache::SchemaCache;
use crate::collect::self_metrics::SelfMetrics;
use crate::collect::snapshot::Snapshot;
use crate::config::Config;
use crate::postgres::{Failure, Run};
use crate::schema::Schema;

/// What the lanes write and the server reads.
pub struct Exporter {
    pub config: Config,
    pub snapshot: Snapshot,
    pub run_status: RunStatus,
    pub self_metrics: SelfMetrics,
    schema_cache: SchemaCache,
    /// Until when both lanes leave the database alone.
    rests_until: parking_lot::Mutex<Option<Instant>>,
    /// Only the fast lane takes it.
    events: Mutex<EventCounter>,
}

impl Exporter {
    /// # Errors
    /// When a metric is declared wrongly, or the state file cannot be used.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let exporter = Exporter {
            events: Mutex::new(EventCounter::new(&config)?),
            config,
            snapshot: Snapshot::default(),
            run_status: RunStatus::default(),
            self_metrics: SelfMetrics::new().context("a metric is declared wrongly")?,
            schema_cache: SchemaCache::default(),
            rests_until: parking_lot::Mutex::default(),
        };
        exporter.self_metrics.set_up(false);
        for collector in COLLECTORS {
            exporter.update_availability(collector, None);
        }
        Ok(exporter)
    }

    /// Notes whether a collector runs; `schema` where it is known by now. Each denial is logged once.
    fn update_availability(&self, collector: &'static Collector, schema: Option<&Schema>) {
        let availability = Availability::of(collector, &self.config, schema);
        self.self_metrics.set_enabled(collector, availability.reason());
        let denials = availability.denials();
        let before = self.run_status.set_availability(collector.name, availability);
        let before = before.map(|availability| availability.denials()).unwrap_or_default();
        for denied in denials.iter().filter(|denied| !before.contains(denied)) {
            warn!(collector = collector.name, denied, "left out; marie-exporter check says what to do");
        }
    }

    /// Returns the text of the exporter's own metrics. It counts the series of the snapshot, so stale ones should be
    /// dropped before, as [`Snapshot::page`] does.
    ///
    /// # Errors
    /// When the encoder refuses a family.
    pub fn own_text(&self) -> prometheus::Result<Vec<u8>> {
        self.self_metrics.text(&self.snapshot.series(), &self.run_status.successes())
    }

    /// What the database had when it was last looked at.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.schema_cache.last_schema()
    }

    /// Runs the collectors of `lane` until `shutdown` is cancelled.
    pub async fn run(self: Arc<Self>, lane: Lane, shutdown: CancellationToken) {
        LaneTask::new(self, lane).run(shutdown).await;
    }

    /// Keeps both lanes from the database for a while.
    fn rest(&self, pause: Duration) {
        let mut until = self.rests_until.lock();
        *until = Some(Instant::now() + pause);
    }

    /// Until when the lanes leave the database alone, if they do.
    fn rests_until(&self) -> Option<Instant> {
        let until = *self.rests_until.lock();
        until.filter(|until| *until > Instant::now())
    }

    /// The database's schema, and word of it to all who show it where it has been read anew.
    async fn look(&self, run: &mut Run) -> Result<Arc<Schema>, Failure> {
        let (schema, is_new) = self.schema_cache.schema(run, &self.config).await?;
        if is_new {
            self.self_metrics.set_database(self.config.database.schema.as_str(), &schema);
            for collector in COLLECTORS {
                self.update_availability(collector, Some(&schema));
            }
        }
        schema.permit_policies(run).await?;
        Ok(schema)
    }

    /// Runs a collector's queries of one lane; what came before a failure is in `answers`.
    async fn collect(
        &self,
        collector: &'static Collector,
        lane: Lane,
        schema: &Schema,
        run: &mut Run,
        answers: &mut Vec<QuerySamples>,
    ) -> Result<(), Failure> {
        let queues = if collector.is_by_queue() {
            let inventory = self.schema_cache.inventory();
            let queues = QueueLabels::read(run, schema, &inventory, &self.config.queues).await?;
            self.schema_cache.note_queues(&queues);
            queues
        } else {
            QueueLabels::default()
        };
        let context = Context { config: &self.config, schema, queues: &queues };
        if collector.name == events::COLLECTOR.name {
            // Counted from run to run, not read off.
            let first_scrape = self.snapshot.first_scrape(collector);
            let mut counter = self.events.lock().await;
            answers.push(counter.collect(run, &context, first_scrape, Instant::now()).await?);
            return Ok(());
        }
        collector.collect(lane, run, &context, answers).await
    }
}
