//! One run of a collector in its lane: opens the transactions, runs the queries, and returns the [`Outcome`].

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::lane::LaneTask;
use super::outcome::{Cost, Outcome};
use crate::collect::collector::Collector;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::Schema;

impl LaneTask {
    /// Runs a collector in one transaction, after another one that reads the queue inventory if this is due.
    pub(super) async fn run_collector(&mut self, collector: &'static Collector) -> Outcome {
        let (inventory, mut run) = match self.begin_after_inventory().await {
            Ok(begun) => begun,
            Err(failure) => return Outcome::NotReached(failure),
        };
        let schema = self.exporter.schema_for(&mut run).await;
        let schema_read = run.busy();
        let config = &self.exporter.config;
        let mut samples = Vec::new();
        let outcome = match schema {
            Ok(schema) if collector.queries_in(self.lane, config, &schema).next().is_none() => {
                self.session.finish(run, None).await;
                return Outcome::NotHere;
            }
            Ok(schema) if !collector.fits_one_transaction(self.lane, config, &schema) => {
                self.finish(run, None).await;
                return self.run_separately(collector, &schema, inventory + schema_read).await;
            }
            Ok(schema) => self.exporter.collect(collector, self.lane, &schema, &mut run, &mut samples).await,
            Err(failure) => Err(failure),
        };
        let cost = Cost { busy: inventory + run.busy(), own: run.busy().saturating_sub(schema_read) };
        self.finish(run, outcome.as_ref().err()).await;
        match outcome {
            Ok(()) => Outcome::Collected(samples, cost),
            Err(failure) => Outcome::Failed(samples, failure, cost),
        }
    }

    /// Runs a collector in several transactions. `before` is the time that the database has been busy already.
    async fn run_separately(
        &mut self,
        collector: &'static Collector,
        schema: &Schema,
        before: Duration,
    ) -> Outcome {
        let mut samples = Vec::new();
        let exporter = Arc::clone(&self.exporter);
        let collected =
            exporter.collect_separately(collector, self.lane, schema, &mut self.session, &mut samples).await;
        let (outcome, own) = match collected {
            Ok(collected) => collected,
            Err(failure) => {
                self.exporter.self_metrics.set_up(false);
                return Outcome::NotReached(failure);
            }
        };
        let cost = Cost { busy: before + own, own };
        if outcome.as_ref().is_err_and(|failure| failure.reason == Reason::Unavailable) {
            self.exporter.self_metrics.set_up(false);
        }
        match outcome {
            Ok(()) => Outcome::Collected(samples, cost),
            Err(failure) => Outcome::Failed(samples, failure, cost),
        }
    }

    /// Opens the transaction of a run. If the queue inventory is due, reads it first, in a short transaction of its own.
    /// Returns how long that kept the database busy.
    async fn begin_after_inventory(&mut self) -> Result<(Duration, Run), Failure> {
        if !self.reads_inventory || !self.exporter.schema_cache.is_inventory_due() {
            return Ok((Duration::ZERO, self.begin().await?));
        }
        let mut run = self.begin().await?;
        let schema = self.exporter.schema_for(&mut run).await;
        let mut busy = run.busy();
        self.finish(run, schema.as_ref().err()).await;
        let read = match schema {
            Ok(schema) => {
                let exporter = Arc::clone(&self.exporter);
                let cache = &exporter.schema_cache;
                let read = cache.read_inventory(&mut self.session, &exporter.config, &schema).await;
                let (outcome, more) = read.inspect_err(|_| exporter.self_metrics.set_up(false))?;
                busy += more;
                outcome
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = read {
            // The run goes on with the rows of the table queue and the queues in the results of queries.
            warn!(error = %failure, "the names of the queues in job could not be read");
        }
        Ok((busy, self.begin().await?))
    }

    async fn begin(&mut self) -> Result<Run, Failure> {
        let begun = self.session.begin().await;
        self.exporter.self_metrics.set_up(begun.is_ok());
        if begun.is_ok() {
            self.failed_attempts = 0;
            if let Some(outage) = self.outage.take() {
                let lasted = humantime::format_duration(outage.lasted());
                info!(lane = self.lane.label(), "connected again after {lasted}");
            }
        }
        begun
    }

    async fn finish(&mut self, run: Run, failure: Option<&Failure>) {
        if failure.is_some_and(|failure| failure.reason == Reason::Unavailable) {
            self.exporter.self_metrics.set_up(false);
        }
        self.session.finish(run, failure).await;
    }
}
