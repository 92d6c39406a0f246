//! The runner: one task with one connection that executes the runs of all paces, one statement at a time.
//!
//! Inputs: the configuration and the shared [`Exporter`]. Outputs: the snapshot, the run status and the exporter's own
//! metrics. The runner executes the next step of the most urgent [`Task`] that is due and that the load [`Budget`] allows
//! (`step`), and publishes a run when its last step has ended (`publish`). While the database cannot be reached it backs
//! off as a whole. A failure of one collector does not affect the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Exporter;
use super::failure_log::FailureLog;
use super::outage::Outage;
use super::task::Task;
use crate::collect::budget::{Budget, LONGEST_STATEMENT};
use crate::collect::collectors::COLLECTORS;
use crate::collect::pace::Pace;
use crate::postgres::{Failure, LONGEST_CONNECT, Reason, Session};

/// First pause after the database was not reached. It doubles up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Pause after the server ran out of memory or locks, which the scheduler needs more than the exporter.
pub(super) const OUT_OF_MEMORY_PAUSE: Duration = Duration::from_mins(10);

/// Statements of one step at most, for the heartbeat deadline: the groups of queues of a query.
const MAX_STATEMENTS: u32 = 100;

pub(super) struct Runner {
    pub(super) exporter: Arc<Exporter>,
    pub(super) session: Session,
    pub(super) budget: Budget,
    pub(super) tasks: Vec<Task>,
    pub(super) logs: BTreeMap<(&'static str, Pace), FailureLog>,
    /// No statement runs before this time.
    pub(super) paused_until: Instant,
    /// Successive attempts to reach the database that failed.
    pub(super) failed_attempts: u32,
    /// The outage that has not ended yet.
    outage: Option<Outage>,
}

impl Runner {
    pub(super) fn new(exporter: Arc<Exporter>) -> Self {
        let config = &exporter.config;
        let now = Instant::now();
        let timeout = config.collectors.timeout.min(LONGEST_STATEMENT);
        Runner {
            session: Session::new(config.database.clone(), timeout),
            budget: Budget::with_allowance(config.collectors.load_budget, now),
            tasks: Task::all(config, now),
            logs: BTreeMap::new(),
            paused_until: now,
            failed_attempts: 0,
            outage: None,
            exporter,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        while let Some((next, at)) = self.next() {
            self.exporter.run_status.set_heartbeat_deadline(at);
            tokio::select! {
                () = sleep_until(at) => {}
                () = shutdown.cancelled() => break,
            }
            let longest = LONGEST_STATEMENT.saturating_mul(MAX_STATEMENTS).saturating_add(LONGEST_CONNECT);
            self.exporter.run_status.set_heartbeat_deadline(Instant::now() + longest);
            tokio::select! {
                () = self.step(next) => {}
                // The server notices the closed connection, and its statement time-out bounds what still runs.
                () = shutdown.cancelled() => break,
            }
        }
        self.exporter.run_status.mark_ready();
        self.session.close().await;
    }

    /// Returns the next task to execute and when. Of tasks that may run at the same time, the one whose deadline is first.
    pub(super) fn next(&mut self) -> Option<(usize, Instant)> {
        let now = Instant::now();
        let awaits_backlog = self.budget.has_allowance() && self.tasks.iter().any(Task::is_first_backlog);
        let (budget, earliest) = (&mut self.budget, self.paused_until.max(now));
        let may_run = |task: &Task| {
            let mut at = (now + budget.wait(task.pace, now)).max(task.due).max(earliest);
            if awaits_backlog && task.pace == Pace::History {
                at += FIRST_PAUSE;
            }
            (at, task.due + task.patience())
        };
        let next = self.tasks.iter().map(may_run).enumerate().min_by_key(|(_, times)| *times);
        next.map(|(index, (at, _))| (index, at))
    }

    /// Records that the database was reached.
    pub(super) fn note_reached(&mut self) {
        self.exporter.self_metrics.set_up(true);
        self.failed_attempts = 0;
        if let Some(outage) = self.outage.take() {
            let lasted = humantime::format_duration(outage.lasted());
            info!("connected again after {lasted}");
        }
    }

    /// Pauses as a whole because the database was not reached, and records a failed run of each collector that is due.
    pub(super) fn back_off(&mut self, failure: &Failure) {
        self.exporter.self_metrics.set_up(false);
        // The next connection can reach another database: restored, migrated or promoted.
        self.exporter.schema_cache.invalidate();
        let longest = self.exporter.config.collectors.interval;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failed_attempts)).min(longest);
        // Jitter keeps exporters from reconnecting to a restarted database all at the same moment.
        let pause = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        if self.outage.get_or_insert_with(Outage::begin).note_error(&failure.message) {
            warn!(error = %failure, "the database is not reached; all collectors wait");
        } else {
            debug!(error = %failure, "the database is still not reached");
        }
        let now = Instant::now();
        let exporter = Arc::clone(&self.exporter);
        let schema = exporter.schema();
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            let began = match task.run.take() {
                Some(run) => run.began,
                None if task.due <= now => now,
                None => continue,
            };
            task.due = now;
            let (pace, interval) = (task.pace, task.interval);
            for collector in task.collectors(&exporter.config, schema.as_deref()) {
                self.record(collector, pace, began, interval, Some(failure));
            }
        }
        self.pause(if failure.reason == Reason::OutOfMemory { OUT_OF_MEMORY_PAUSE } else { pause });
        self.exporter.run_status.mark_ready();
    }

    /// Executes no statement for this time.
    pub(super) fn pause(&mut self, pause: Duration) {
        self.paused_until = self.paused_until.max(Instant::now() + pause);
    }

    /// Removes what collectors that do not run in this task any more have published at its pace.
    pub(super) fn remove_others(&self, index: usize, schema: &crate::schema::Schema) {
        let (task, config) = (&self.tasks[index], &self.exporter.config);
        let members = |task: &Task| task.collectors(config, Some(schema)).map(|collector| collector.name);
        let of_pace = self.tasks.iter().filter(|other| other.pace == task.pace);
        let running: Vec<&str> = of_pace.flat_map(members).collect();
        for collector in COLLECTORS.iter().filter(|collector| !running.contains(&collector.name)) {
            self.exporter.snapshot.remove(collector, task.pace);
            self.exporter.self_metrics.remove(collector, task.pace);
            self.exporter.run_status.remove(collector.name, task.pace);
        }
    }
}
