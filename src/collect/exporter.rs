//! The [`Exporter`]: the state that the lanes write and the HTTP server reads.
//!
//! Each of the two lanes is a task with one connection that runs its collectors one after another (`lane`). The cost of
//! the fast lane's queries follows unfinished work; the slow lane reads the history. Two lanes, so that the metric of
//! stuck jobs never waits behind a long query.

mod lane;
mod outage;
mod outcome;
mod run;
pub(crate) mod schedule;
mod scheduled;
mod separate;
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

/// State shared by the lanes and the HTTP server.
pub struct Exporter {
    pub config: Config,
    pub snapshot: Snapshot,
    pub run_status: RunStatus,
    pub self_metrics: SelfMetrics,
    schema_cache: SchemaCache,
    /// Neither lane uses the database before this time.
    paused_until: parking_lot::Mutex<Option<Instant>>,
    /// Locked by the fast lane only.
    events: Mutex<EventCounter>,
}

impl Exporter {
    /// # Errors
    /// If a metric is declared wrongly, or the state file cannot be used.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let exporter = Exporter {
            events: Mutex::new(EventCounter::new(&config)?),
            config,
            snapshot: Snapshot::default(),
            run_status: RunStatus::default(),
            self_metrics: SelfMetrics::new().context("a metric is declared wrongly")?,
            schema_cache: SchemaCache::default(),
            paused_until: parking_lot::Mutex::default(),
        };
        exporter.self_metrics.set_up(false);
        for collector in COLLECTORS {
            exporter.update_availability(collector, None);
        }
        Ok(exporter)
    }

    /// Records whether a collector runs; `schema` is `None` before it is first read. Logs each new denial once.
    fn update_availability(&self, collector: &'static Collector, schema: Option<&Schema>) {
        let availability = Availability::new(collector, &self.config, schema);
        self.self_metrics.set_enabled(collector, availability.reason());
        let denials = availability.denials();
        let before = self.run_status.set_availability(collector.name, availability);
        let before = before.map(|availability| availability.denials()).unwrap_or_default();
        for denied in denials.iter().filter(|denied| !before.contains(denied)) {
            warn!(collector = collector.name, denied, "skipped; run marie-exporter check to see the remedy");
        }
    }

    /// Returns the text of the exporter's own metrics.
    ///
    /// Because it counts the series of the snapshot, expired samples should be withdrawn first, as
    /// [`Snapshot::page`] does.
    ///
    /// # Errors
    /// If the encoder rejects a family.
    pub fn own_text(&self) -> prometheus::Result<Vec<u8>> {
        self.self_metrics.text(&self.snapshot.series(), &self.run_status.successes())
    }

    /// Returns the schema as it was last read.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.schema_cache.last_schema()
    }

    /// Runs the collectors of `lane` until `shutdown` is cancelled.
    pub async fn run(self: Arc<Self>, lane: Lane, shutdown: CancellationToken) {
        LaneTask::new(self, lane).run(shutdown).await;
    }

    /// Pauses both lanes.
    fn pause(&self, pause: Duration) {
        *self.paused_until.lock() = Some(Instant::now() + pause);
    }

    /// Returns the end of the pause of both lanes, if they pause.
    fn paused_until(&self) -> Option<Instant> {
        let until = *self.paused_until.lock();
        until.filter(|until| *until > Instant::now())
    }

    /// Returns the schema for a run. If it was read now, updates everything that shows it.
    async fn schema_for(&self, run: &mut Run) -> Result<Arc<Schema>, Failure> {
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

    /// Runs a collector's queries of one lane and adds their results to `samples`, up to the first failure.
    async fn collect(
        &self,
        collector: &'static Collector,
        lane: Lane,
        schema: &Schema,
        run: &mut Run,
        samples: &mut Vec<QuerySamples>,
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
            let first_scrape = self.snapshot.first_scrape(collector);
            let mut counter = self.events.lock().await;
            samples.push(counter.collect(run, &context, first_scrape, Instant::now()).await?);
            return Ok(());
        }
        collector.collect(lane, run, &context, samples).await
    }
}
