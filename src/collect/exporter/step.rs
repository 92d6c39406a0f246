//! Executes the steps of a run, each in one transaction, or in several for groups of queues.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::pace_run::{PaceRun, PassStep, Step};
use super::runner::{OUT_OF_MEMORY_PAUSE, Runner};
use crate::collect::collector::{Collector, Context};
use crate::collect::division::{self, Stop, Transactions};
use crate::collect::pass::fed_queries;
use crate::postgres::{Failure, Reason};

impl Runner {
    /// Begins the run of a task or executes its next step. After the last step, publishes the run.
    pub(super) async fn step(&mut self, index: usize) {
        // A panic in one collector's code must not end the runner.
        let outcome = AssertUnwindSafe(self.execute(index)).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| {
            let failure = Failure::new(Reason::Unavailable, "internal fault, see the log line before");
            self.fail_run(index, &failure);
            Ok(())
        });
        if let Err(failure) = outcome {
            self.back_off(&failure);
        } else if self.tasks[index].run.as_ref().is_some_and(|run| run.steps.is_empty()) {
            self.publish(index);
        }
    }

    /// Fails if the database cannot be reached.
    async fn execute(&mut self, index: usize) -> Result<(), Failure> {
        let Some(mut run) = self.tasks[index].run.take() else { return self.begin(index).await };
        let Some(step) = run.steps.pop_front() else { return Ok(()) };
        let outcome = match step {
            Step::Statements(collector) => self.run_statements(index, &mut run, collector).await,
            Step::Events(collector) => self.run_events(index, &mut run, collector).await,
            Step::Pass(pass) => self.run_slice(index, &mut run, pass).await,
        };
        self.tasks[index].run = Some(run);
        outcome
    }

    async fn run_statements(
        &mut self,
        index: usize,
        run: &mut PaceRun,
        collector: &'static Collector,
    ) -> Result<(), Failure> {
        let (pace, config) = (self.tasks[index].pace, &self.exporter.config);
        let mut samples = Vec::new();
        let context = Context { config, schema: &run.schema, queues: &run.queues };
        let (outcome, busy) = if collector.fits_one_transaction(pace, config, &run.schema) {
            let mut transactions = Transactions::new(&mut self.session, &run.schema);
            let collected = async |run: &mut _| collector.collect(pace, run, &context, &mut samples).await;
            let outcome = transactions.run(collected).await;
            (outcome, transactions.busy)
        } else {
            division::collect(&mut self.session, collector, pace, &context, &mut samples).await
        };
        run.add(collector, samples);
        self.charge(index, run, busy, &outcome);
        self.note_failure(run, &[collector], outcome)
    }

    async fn run_events(
        &mut self,
        index: usize,
        run: &mut PaceRun,
        collector: &'static Collector,
    ) -> Result<(), Failure> {
        let exporter = Arc::clone(&self.exporter);
        let context = Context { config: &exporter.config, schema: &run.schema, queues: &run.queues };
        let first_scrape = exporter.snapshot.first_scrape(collector);
        let mut counter = exporter.events.lock().await;
        let mut transactions = Transactions::new(&mut self.session, &run.schema);
        let count = async |run: &mut _| counter.collect(run, &context, first_scrape, Instant::now()).await;
        let outcome = transactions.run(count).await;
        let busy = transactions.busy;
        self.charge(index, run, busy, &outcome);
        let outcome = outcome.map(|samples| run.add(collector, [samples]));
        self.note_failure(run, &[collector], outcome)
    }

    async fn run_slice(
        &mut self,
        index: usize,
        run: &mut PaceRun,
        mut step: Box<PassStep>,
    ) -> Result<(), Failure> {
        let exporter = Arc::clone(&self.exporter);
        let config = &exporter.config;
        let mut transactions = Transactions::new(&mut self.session, &run.schema);
        let plans = step.pass.plans();
        let outcome = transactions.run_with(plans, async |run| step.pass.step(run, config).await).await;
        let busy = transactions.busy;
        self.charge(index, run, busy, &outcome);
        self.tasks[index].slice = Some(step.pass.slice_size());
        match outcome {
            Ok(true) => {
                for (collector, samples) in step.pass.into_samples() {
                    run.add(collector, [samples]);
                }
                Ok(())
            }
            Ok(false) => {
                step.failures = 0;
                self.tasks[index].due = Instant::now();
                run.steps.push_front(Step::Pass(step));
                Ok(())
            }
            Err(Stop::Failed(failure)) if is_temporary(failure.reason) && step.may_retry() => {
                // Not at once, because a lock or a replay that the slice met may still be there.
                self.tasks[index].due = Instant::now() + config.collectors.interval;
                run.steps.push_front(Step::Pass(step));
                Ok(())
            }
            Err(other) => {
                let kind = step.pass.kind();
                let fed: Vec<&Collector> =
                    fed_queries(kind, config, &run.schema).map(|(fed, _)| fed).collect();
                self.note_failure(run, &fed, Err(other))
            }
        }
    }

    /// Charges the time that a step kept the database busy. Waiting for a lock costs the database nothing.
    pub(super) fn charge<T>(
        &mut self,
        index: usize,
        run: &mut PaceRun,
        busy: Duration,
        outcome: &Result<T, Stop>,
    ) {
        if is_lock_wait(outcome) {
            return;
        }
        let pace = self.tasks[index].pace;
        run.busy += busy;
        self.budget.charge(pace, busy, Instant::now());
        self.exporter.self_metrics.add_busy(pace.label(), busy);
    }

    /// Records the failure of a step for its collectors. Fails if the database cannot be reached.
    fn note_failure(
        &mut self,
        run: &mut PaceRun,
        collectors: &[&'static Collector],
        outcome: Result<(), Stop>,
    ) -> Result<(), Failure> {
        match outcome {
            Ok(()) => self.note_reached(),
            Err(Stop::Unreachable(failure)) => return Err(failure),
            Err(Stop::Failed(failure)) => {
                self.note_reached();
                self.react(&failure);
                for collector in collectors {
                    run.fail(collector, &failure);
                }
            }
        }
        Ok(())
    }

    /// Does what a failure of any collector demands of the exporter.
    pub(super) fn react(&mut self, failure: &Failure) {
        match failure.reason {
            // A right that was revoked since the schema was read is a lack then, which stops only what needs it.
            Reason::SchemaChanged | Reason::Permission => self.exporter.schema_cache.invalidate(),
            Reason::Unavailable => {
                self.exporter.self_metrics.set_up(false);
                self.exporter.schema_cache.invalidate();
            }
            Reason::OutOfMemory => self.pause(OUT_OF_MEMORY_PAUSE),
            _ => {}
        }
    }
}

fn is_lock_wait<T>(outcome: &Result<T, Stop>) -> bool {
    matches!(outcome, Err(Stop::Failed(failure)) if failure.reason == Reason::Lock)
}

/// Whether the same statement may succeed a little later.
pub(super) fn is_temporary(reason: Reason) -> bool {
    matches!(reason, Reason::Timeout | Reason::Lock | Reason::Conflict)
}
