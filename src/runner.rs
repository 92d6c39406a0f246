//! What the lanes share and the server reads: the [`Exporter`], and how a collector's samples are had.
//!
//! There are two lanes, each a task with one connection that runs its collectors one after the other (`lane`):
//! the fast lane what follows unfinished work, the slow lane what reads the history, so that stuck jobs never
//! wait behind a long query.

mod lane;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;

use self::lane::LaneTask;
use crate::catalog::Catalog;
use crate::collector::{Collector, Context, Lane};
use crate::collectors::COLLECTORS;
use crate::config::Config;
use crate::database::{Failure, Run};
use crate::family::Samples;
use crate::queues::{QueueCensus, Queues};
use crate::schema::Schema;
use crate::snapshot::Snapshot;
use crate::standing::Standing;
use crate::status::Status;
use crate::telemetry::Telemetry;

/// What the lanes write and the server reads.
pub struct Exporter {
    pub config: Config,
    pub snapshot: Snapshot,
    pub status: Status,
    pub telemetry: Telemetry,
    catalog: Catalog,
}

impl Exporter {
    /// # Errors
    /// When a metric is declared wrongly.
    pub fn new(config: Config) -> prometheus::Result<Self> {
        let exporter = Exporter {
            config,
            snapshot: Snapshot::default(),
            status: Status::default(),
            telemetry: Telemetry::new()?,
            catalog: Catalog::default(),
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
            warn!(collector = collector.name, denied, "left out; marie-exporter check prints the GRANT");
        }
    }

    /// What `/metrics` says now: the exporter's own metrics, then those of each collector.
    ///
    /// # Errors
    /// When the encoder refuses a family.
    pub fn text(&self) -> prometheus::Result<Vec<u8>> {
        // First, for it drops what is stale, and the series are counted after that.
        let collected = self.snapshot.text();
        let mut text = self.telemetry.text(&self.snapshot.series())?;
        for collector in collected {
            text.extend_from_slice(&collector);
        }
        Ok(text)
    }

    /// What the database had when it was last looked at.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.catalog.last_schema()
    }

    /// Runs the collectors of `lane` until `shutdown` turns true.
    pub async fn run(self: Arc<Self>, lane: Lane, shutdown: watch::Receiver<bool>) {
        LaneTask::new(self, lane).run(shutdown).await;
    }

    /// What is known of the database, for a collector that has a query in this lane here.
    async fn look(
        &self,
        collector: &'static Collector,
        lane: Lane,
        run: &mut Run,
    ) -> Result<Option<Known>, Failure> {
        let (schema, is_new) = self.catalog.schema(run, &self.config).await?;
        if is_new {
            self.telemetry.database(self.config.database.schema.as_str(), &schema);
            for collector in COLLECTORS {
                self.note_standing(collector, Some(&schema));
            }
        }
        if collector.queries_in(lane, &self.config, &schema).next().is_none() {
            return Ok(None);
        }
        let census = self.catalog.census(run, &self.config, &schema, lane).await?;
        Ok(Some(Known { schema, census }))
    }

    /// The samples of a collector's queries in one lane.
    async fn collect(
        &self,
        collector: &'static Collector,
        lane: Lane,
        Known { schema, census }: &Known,
        run: &mut Run,
    ) -> Result<Vec<Samples>, Failure> {
        let queues = if collector.is_by_queue() {
            run.query(async |connection| Queues::read(connection, schema, census, &self.config.queues).await)
                .await?
        } else {
            Queues::default()
        };
        let context = Context { config: &self.config, schema, queues: &queues };
        collector.collect(lane, run, &context).await
    }
}

/// What a collector's queries are chosen by.
struct Known {
    schema: Arc<Schema>,
    census: Arc<QueueCensus>,
}
