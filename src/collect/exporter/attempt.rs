//! One turn of a collector in its lane: the transactions, and what came of them.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::lane::LaneTask;
use super::outcome::{Cost, Outcome};
use crate::collect::collector::Collector;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::Schema;

impl LaneTask {
    /// One transaction, and one before it where the inventory is due.
    pub(super) async fn attempt(&mut self, collector: &'static Collector) -> Outcome {
        let (inventory, mut run) = match self.begin_after_inventory().await {
            Ok(begun) => begun,
            Err(failure) => return Outcome::NotReached(failure),
        };
        let schema = self.exporter.look(&mut run).await;
        let looked = run.busy();
        let config = &self.exporter.config;
        let mut answers = Vec::new();
        let outcome = match schema {
            Ok(schema) if collector.queries_in(self.lane, config, &schema).next().is_none() => {
                self.session.finish(run, None).await;
                return Outcome::NotHere;
            }
            Ok(schema) if !collector.fits_one_transaction(self.lane, config, &schema) => {
                self.finish(run, None).await;
                return self.attempt_apart(collector, &schema, inventory + looked).await;
            }
            Ok(schema) => self.exporter.collect(collector, self.lane, &schema, &mut run, &mut answers).await,
            Err(failure) => Err(failure),
        };
        let cost = Cost { busy: inventory + run.busy(), own: run.busy().saturating_sub(looked) };
        self.finish(run, outcome.as_ref().err()).await;
        match outcome {
            Ok(()) => Outcome::Collected(answers, cost),
            Err(failure) => Outcome::Failed(answers, failure, cost),
        }
    }

    /// The same in several transactions; `before` is what the database has worked already.
    async fn attempt_apart(
        &mut self,
        collector: &'static Collector,
        schema: &Schema,
        before: Duration,
    ) -> Outcome {
        let mut answers = Vec::new();
        let exporter = Arc::clone(&self.exporter);
        let collected =
            exporter.collect_apart(collector, self.lane, schema, &mut self.session, &mut answers).await;
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
            Ok(()) => Outcome::Collected(answers, cost),
            Err(failure) => Outcome::Failed(answers, failure, cost),
        }
    }

    /// Opens a turn's transaction; where the inventory is due it is taken before, in a short one of its own. Says
    /// how long that kept the database busy.
    async fn begin_after_inventory(&mut self) -> Result<(Duration, Run), Failure> {
        if !self.takes_inventory || !self.exporter.schema_cache.is_inventory_due() {
            return Ok((Duration::ZERO, self.begin().await?));
        }
        let mut run = self.begin().await?;
        let schema = self.exporter.look(&mut run).await;
        let mut busy = run.busy();
        self.finish(run, schema.as_ref().err()).await;
        let taken = match schema {
            Ok(schema) => {
                let exporter = Arc::clone(&self.exporter);
                let inventory =
                    exporter.schema_cache.take_inventory(&mut self.session, &exporter.config, &schema).await;
                let (outcome, more) = inventory.inspect_err(|_| exporter.self_metrics.set_up(false))?;
                busy += more;
                outcome
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = taken {
            // Without it there are still the rows of the table queue, and the queues that turn up in answers.
            warn!(error = %failure, "the names of the queues in job could not be read");
        }
        Ok((busy, self.begin().await?))
    }

    async fn begin(&mut self) -> Result<Run, Failure> {
        let begun = self.session.begin().await;
        self.exporter.self_metrics.set_up(begun.is_ok());
        if begun.is_ok() {
            self.misses = 0;
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
