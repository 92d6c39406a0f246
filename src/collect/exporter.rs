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
use crate::collect::availability::Standing;
use crate::collect::collector::{Answer, Collector, Context, Lane};
use crate::collect::collectors::COLLECTORS;
use crate::collect::events::{self, Feed};
use crate::collect::queue_labels::Queues;
use crate::collect::run_status::Status;
use crate::collect::schema_cache::Catalog;
use crate::collect::self_metrics::Telemetry;
use crate::collect::snapshot::Snapshot;
use crate::config::Config;
use crate::postgres::{Failure, Run};
use crate::schema::Schema;

/// What the lanes write and the server reads.
pub struct Exporter {
    pub config: Config,
    pub snapshot: Snapshot,
    pub status: Status,
    pub telemetry: Telemetry,
    catalog: Catalog,
    /// Until when both lanes leave the database alone.
    rests_until: parking_lot::Mutex<Option<Instant>>,
    /// Only the fast lane takes it.
    events: Mutex<Feed>,
}

impl Exporter {
    /// # Errors
    /// When a metric is declared wrongly, or the state file cannot be used.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let exporter = Exporter {
            events: Mutex::new(Feed::new(&config)?),
            config,
            snapshot: Snapshot::default(),
            status: Status::default(),
            telemetry: Telemetry::new().context("a metric is declared wrongly")?,
            catalog: Catalog::default(),
            rests_until: parking_lot::Mutex::default(),
        };
        exporter.telemetry.reached(false);
        for collector in COLLECTORS {
            exporter.note_standing(collector, None);
        }
        Ok(exporter)
    }

    /// Notes whether a collector runs; `schema` where it is known by now. Each denial is logged once.
    fn note_standing(&self, collector: &'static Collector, schema: Option<&Schema>) {
        let standing = Standing::of(collector, &self.config, schema);
        self.telemetry.enabled(collector, standing.reason());
        let denials = standing.denials();
        let before = self.status.stands(collector.name, standing);
        let before = before.map(|standing| standing.denials()).unwrap_or_default();
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
        self.telemetry.text(&self.snapshot.series(), &self.status.successes())
    }

    /// What the database had when it was last looked at.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.catalog.last_schema()
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
        let (schema, is_new) = self.catalog.schema(run, &self.config).await?;
        if is_new {
            self.telemetry.database(self.config.database.schema.as_str(), &schema);
            for collector in COLLECTORS {
                self.note_standing(collector, Some(&schema));
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
        answers: &mut Vec<Answer>,
    ) -> Result<(), Failure> {
        let queues = if collector.is_by_queue() {
            let census = self.catalog.census();
            let queues = Queues::read(run, schema, &census, &self.config.queues).await?;
            self.catalog.note_queues(&queues);
            queues
        } else {
            Queues::default()
        };
        let context = Context { config: &self.config, schema, queues: &queues };
        if collector.name == events::COLLECTOR.name {
            // Counted from run to run, not read off.
            let first_scrape = self.snapshot.first_scrape(collector);
            let mut feed = self.events.lock().await;
            answers.push(feed.poll(run, &context, first_scrape, Instant::now()).await?);
            return Ok(());
        }
        collector.collect(lane, run, &context, answers).await
    }
}
