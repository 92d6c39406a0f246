//! Publishes a run that has ended: its samples, its record, and its log lines.

use std::time::Duration;

use tokio::time::Instant;

use super::pace_run::{CollectorResult, PaceRun};
use super::runner::Runner;
use super::task::Task;
use crate::collect::collector::Collector;
use crate::collect::pace::Pace;
use crate::postgres::{Failure, Reason};

impl Runner {
    /// Ends the run of a task and publishes the result of each collector.
    pub(super) fn publish(&mut self, index: usize) {
        let task = &mut self.tasks[index];
        let Some(PaceRun { began, results, busy, .. }) = task.run.take() else { return };
        let interval = task.end_run(began, busy, &self.budget, &self.exporter.config);
        let pace = task.pace;
        let is_lost = |result: &CollectorResult| {
            result.failure.as_ref().is_some_and(|failure| failure.reason == Reason::Unavailable)
        };
        if results.values().any(is_lost) {
            // Most connections are lost to a restart of the server. The collector must not wait a long interval after it.
            task.due = task.due.min(Instant::now() + self.exporter.config.collectors.interval);
        }
        for result in results.into_values() {
            self.publish_collector(pace, began, interval, result);
        }
        if index == 0 {
            self.exporter.run_status.note_first_numbers();
        }
        if self.tasks.iter().all(Task::has_run) {
            self.exporter.run_status.mark_ready();
        }
    }

    fn publish_collector(&mut self, pace: Pace, began: Instant, interval: Duration, result: CollectorResult) {
        let CollectorResult { collector, samples, mut failure } = result;
        let expires = Instant::now() + self.exporter.config.collectors.lifetime(interval);
        let snapshot = &self.exporter.snapshot;
        if failure.is_none() {
            let replaced = snapshot.replace(collector, pace, samples, expires);
            failure = replaced.err().map(|error| Failure::new(Reason::Other, error.to_string()));
        } else {
            // Ignore an encoding error here: the failure of the query is what gets reported.
            let _ = snapshot.update(collector, pace, samples, expires);
        }
        self.record(collector, pace, began, interval, failure.as_ref());
        self.logs.entry((collector.name, pace)).or_default().note(collector.name, pace, failure.as_ref());
    }

    /// Records a run in the run status and in the exporter's own metrics.
    pub(super) fn record(
        &self,
        collector: &'static Collector,
        pace: Pace,
        began: Instant,
        interval: Duration,
        failure: Option<&Failure>,
    ) {
        let exporter = &self.exporter;
        exporter.self_metrics.record_run(
            collector,
            pace,
            began.elapsed(),
            failure.map(|failure| failure.reason),
        );
        exporter.self_metrics.set_interval(collector, pace, interval);
        exporter.run_status.record_run(
            collector.name,
            pace,
            began,
            interval,
            failure.map(ToString::to_string),
        );
    }
}
