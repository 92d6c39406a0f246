//! One run of a task: its remaining steps, and what each collector has got so far.
//!
//! A step is short: the queries of one collector in a transaction, or one slice of a pass. Between two steps of a long run
//! the [`Runner`](super::runner) may execute those of a more urgent pace.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::collect::collector::{Collector, QuerySamples};
use crate::collect::pass::Pass;
use crate::collect::queue_labels::QueueLabels;
use crate::postgres::Failure;
use crate::schema::Schema;

/// Failures of one slice after which the pass ends.
const MAX_FAILURES: u32 = 3;

pub(super) enum Step {
    /// The statements of one collector at the pace of the task.
    Statements(&'static Collector),
    /// New rows of the histories.
    Events(&'static Collector),
    /// The next slice of a pass.
    Pass(Box<PassStep>),
}

pub(super) struct PassStep {
    pub(super) pass: Pass,
    /// Successive failures of the next slice.
    pub(super) failures: u32,
}

impl PassStep {
    /// Counts a failure of the next slice. Returns whether the slice is tried again.
    pub(super) fn may_retry(&mut self) -> bool {
        self.failures += 1;
        self.failures < MAX_FAILURES
    }
}

/// A run that has begun. The schema and the queue labels are those of its beginning.
pub(super) struct PaceRun {
    pub(super) began: Instant,
    pub(super) schema: Arc<Schema>,
    pub(super) queues: QueueLabels,
    pub(super) steps: VecDeque<Step>,
    pub(super) results: BTreeMap<&'static str, CollectorResult>,
    /// How long the database has been busy with it.
    pub(super) busy: Duration,
}

/// What a run has got for a collector.
pub(super) struct CollectorResult {
    pub(super) collector: &'static Collector,
    pub(super) samples: Vec<QuerySamples>,
    /// The first failure.
    pub(super) failure: Option<Failure>,
}

impl PaceRun {
    /// Adds samples of a collector.
    pub(super) fn add(
        &mut self,
        collector: &'static Collector,
        samples: impl IntoIterator<Item = QuerySamples>,
    ) {
        self.result(collector).samples.extend(samples);
    }

    /// Records a failure of a collector, unless one was recorded before.
    pub(super) fn fail(&mut self, collector: &'static Collector, failure: &Failure) {
        self.result(collector).failure.get_or_insert_with(|| failure.clone());
    }

    fn result(&mut self, collector: &'static Collector) -> &mut CollectorResult {
        self.results.entry(collector.name).or_insert_with(|| CollectorResult {
            collector,
            samples: Vec::new(),
            failure: None,
        })
    }
}
