//! The [`Exporter`]: the state that the [`runner`] writes and the HTTP server reads.
//!
//! The runner is one task with one connection. It executes short steps of [`task`]s in the order of their urgency, as far
//! as the load [`budget`](crate::collect::budget) allows, so that the metric of stuck jobs never waits behind a long look at the history.

mod begin;
mod failure_log;
mod outage;
mod pace_run;
mod publish;
mod runner;
mod step;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::runner::Runner;
use crate::collect::availability::Availability;
use crate::collect::collector::Collector;
use crate::collect::collectors::COLLECTORS;
use crate::collect::events::EventCounter;
use crate::collect::run_status::RunStatus;
use crate::collect::schema_cache::SchemaCache;
use crate::collect::self_metrics::SelfMetrics;
use crate::collect::snapshot::Snapshot;
use crate::config::Config;
use crate::postgres::{Failure, Run};
use crate::schema::Schema;

/// State shared by the runner and the HTTP server.
pub struct Exporter {
    pub config: Config,
    pub snapshot: Snapshot,
    pub run_status: RunStatus,
    pub self_metrics: SelfMetrics,
    schema_cache: SchemaCache,
    /// Locked by the runner only.
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
    /// # Errors
    /// If the encoder rejects a family.
    pub fn own_text(&self) -> prometheus::Result<Vec<u8>> {
        self.self_metrics.text(&self.snapshot.series(), &self.run_status.successes())
    }

    /// Returns the schema as it was last read.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.schema_cache.last_schema()
    }

    /// Runs the collectors until `shutdown` is cancelled.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        Runner::new(self).run(shutdown).await;
    }

    /// Withdraws samples when they expire, until `shutdown` is cancelled. A task of its own, because a database that does
    /// not answer occupies the runner.
    pub async fn withdraw_expired(self: Arc<Self>, shutdown: CancellationToken) {
        let expire = async {
            loop {
                self.snapshot.until_next_expiry().await;
                self.snapshot.remove_expired();
            }
        };
        tokio::select! {
            () = expire => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Returns the schema for a run, and how long it took if it was read now. Then updates everything that shows it.
    async fn schema_for(&self, run: &mut Run) -> Result<(Arc<Schema>, Duration), Failure> {
        let before = run.busy();
        let (schema, is_new) = self.schema_cache.schema(run, &self.config).await?;
        let busy = if is_new { run.busy().saturating_sub(before) } else { Duration::ZERO };
        if is_new {
            self.self_metrics.set_database(self.config.database.schema.as_str(), &schema);
            for collector in COLLECTORS {
                self.update_availability(collector, Some(&schema));
            }
        }
        schema.permit_policies(run).await?;
        Ok((schema, busy))
    }
}
