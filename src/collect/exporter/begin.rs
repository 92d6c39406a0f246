//! Begins a run: reads the schema and the queues if they are due, and lists the steps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::pace_run::{PaceRun, PassStep, Step};
use super::runner::Runner;
use super::step::is_temporary;
use crate::collect::collector::Collector;
use crate::collect::pace::Pace;
use crate::collect::pass::Pass;
use crate::collect::queue_labels::QueueLabels;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::Schema;

/// Label of the time that reading the schema and the queue inventory takes.
const CATALOG: &str = "catalog";

impl Runner {
    /// Begins the run of a task. Fails if the database cannot be reached.
    pub(super) async fn begin(&mut self, index: usize) -> Result<(), Failure> {
        let began = Instant::now();
        let exporter = Arc::clone(&self.exporter);
        // It can take a pass over the history, so the pulse does not wait for it.
        if index > 0 || self.tasks.len() == 1 {
            self.read_inventory(index).await?;
        }
        let mut run = self.session.begin().await?;
        self.note_reached();
        let (schema, catalog) = match exporter.schema_for(&mut run).await {
            Ok((schema, busy)) => (Ok(schema), busy),
            Err(failure) => (Err(failure), run.busy()),
        };
        let queues = match &schema {
            Ok(schema) => self.read_queues(&mut run, schema).await,
            Err(failure) => Err(failure.clone()),
        };
        let busy = run.busy().saturating_sub(catalog);
        self.session.finish(run, queues.as_ref().err()).await;
        self.charge_catalog(index, catalog);
        let is_of_queue_only = |failure: &Failure| {
            schema.is_ok() && !matches!(failure.reason, Reason::Unavailable | Reason::OutOfMemory)
        };
        let (queues, failure) = match queues {
            Ok(queues) => (queues, None),
            // A lock on the table queue, or a right that was revoked, stops only the collector that publishes its rows.
            Err(failure) if is_of_queue_only(&failure) => {
                if !is_temporary(failure.reason) {
                    exporter.schema_cache.invalidate();
                }
                (exporter.schema_cache.last_queues(), None)
            }
            Err(failure) => (QueueLabels::default(), Some(failure)),
        };
        let run = PaceRun {
            began,
            schema: schema.unwrap_or_default(),
            queues,
            steps: VecDeque::new(),
            results: BTreeMap::new(),
            busy: Duration::ZERO,
        };
        self.tasks[index].run = Some(run);
        match failure {
            Some(failure) => self.fail_run(index, &failure),
            None => self.list_steps(index, busy),
        }
        Ok(())
    }

    /// Lists the steps of a run that has begun. `busy` is how long the database has been busy with its beginning.
    fn list_steps(&mut self, index: usize, busy: Duration) {
        let Some(mut run) = self.tasks[index].run.take() else { return };
        self.charge(index, &mut run, busy, &Ok(()));
        self.remove_others(index, &run.schema);
        let exporter = Arc::clone(&self.exporter);
        let config = &exporter.config;
        let task = &mut self.tasks[index];
        let collectors: Vec<&'static Collector> = task.collectors(config, Some(&run.schema)).collect();
        for &collector in &collectors {
            // A collector without a result is published too, as one without samples.
            run.add(collector, []);
            if task.pace == Pace::Events {
                run.steps.push_back(Step::Events(collector));
            } else if collector.queries_at(task.pace, config, &run.schema).next().is_some() {
                run.steps.push_back(Step::Statements(collector));
            }
        }
        if let (Some(kind), Some(slice), false) = (task.pass, task.slice, collectors.is_empty()) {
            let pass = Pass::begin(kind, Arc::clone(&run.schema), run.queues.clone(), slice);
            run.steps.push_back(Step::Pass(Box::new(PassStep { pass, failures: 0 })));
        }
        task.run = Some(run);
    }

    /// Reads the queue inventory if it is due.
    async fn read_inventory(&mut self, index: usize) -> Result<(), Failure> {
        let exporter = Arc::clone(&self.exporter);
        let cache = &exporter.schema_cache;
        let Some(schema) = cache.last_schema().filter(|_| cache.is_inventory_due()) else { return Ok(()) };
        let (outcome, busy) = cache.read_inventory(&mut self.session, &exporter.config, &schema).await?;
        self.charge_catalog(index, busy);
        if let Err(failure) = outcome {
            // The run goes on with the rows of the table queue and the queues in the results of queries.
            warn!(error = %failure, "the names of the queues in job could not be read");
        }
        Ok(())
    }

    async fn read_queues(&self, run: &mut Run, schema: &Schema) -> Result<QueueLabels, Failure> {
        let cache = &self.exporter.schema_cache;
        let queues = QueueLabels::read(run, schema, &cache.inventory(), &self.exporter.config.queues).await?;
        cache.note_queues(&queues);
        Ok(queues)
    }

    /// Charges reading the schema or the inventory to the pace whose run has found it due.
    fn charge_catalog(&mut self, index: usize, busy: Duration) {
        self.budget.charge(self.tasks[index].pace, busy, Instant::now());
        self.exporter.self_metrics.add_busy(CATALOG, busy);
    }

    /// Ends the steps of a run, because none of its collectors can succeed.
    pub(super) fn fail_run(&mut self, index: usize, failure: &Failure) {
        self.react(failure);
        let exporter = Arc::clone(&self.exporter);
        let schema = exporter.schema();
        let collectors: Vec<_> = self.tasks[index].collectors(&exporter.config, schema.as_deref()).collect();
        if let Some(run) = &mut self.tasks[index].run {
            run.steps.clear();
            for collector in collectors {
                run.fail(collector, failure);
            }
        }
    }
}
