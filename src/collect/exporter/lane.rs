//! The task of a lane. It runs the collectors that are due, one after another, on one connection.
//!
//! Inputs: the configuration and the shared [`Exporter`]. Outputs: the snapshot, the run status and the exporter's own
//! metrics. `run` executes one run of a collector, `schedule` says when the next one is due. While the database cannot be
//! reached the lane backs off as a whole. A failure of one collector does not affect the others.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rand::RngExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Exporter;
use super::outage::Outage;
use super::outcome::{Cost, Outcome};
use super::schedule::share;
use super::scheduled::ScheduledCollector;
use crate::collect::collector::Lane;
use crate::collect::collectors::COLLECTORS;
use crate::postgres::{Failure, LONGEST_CONNECT, Reason, Session};

/// First pause after the database was not reached. It doubles up to the fast interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Pause of both lanes after the server ran out of memory or locks, which the scheduler needs more than the exporter.
const OUT_OF_MEMORY_PAUSE: Duration = Duration::from_mins(10);

pub(super) struct LaneTask {
    pub(super) exporter: Arc<Exporter>,
    pub(super) lane: Lane,
    pub(super) session: Session,
    /// Whether this lane reads the queue inventory.
    pub(super) reads_inventory: bool,
    pub(super) collectors: Vec<ScheduledCollector>,
    /// Successive attempts to reach the database that failed.
    pub(super) failed_attempts: u32,
    /// The outage that has not ended yet.
    pub(super) outage: Option<Outage>,
    pub(super) started: Instant,
}

impl LaneTask {
    pub(super) fn new(exporter: Arc<Exporter>, lane: Lane) -> Self {
        let config = &exporter.config;
        let interval = configured_interval(&exporter, lane);
        let started = Instant::now();
        let collectors = COLLECTORS
            .iter()
            .filter(|collector| config.collectors.is_enabled(collector.name) && collector.may_run_in(lane))
            .map(|collector| ScheduledCollector::new(collector, started, interval))
            .collect();
        let session = Session::new(config.database.clone(), config.collectors.timeout);
        let has_slow_lane = || {
            COLLECTORS.iter().any(|collector| {
                config.collectors.is_enabled(collector.name) && collector.may_run_in(Lane::Slow)
            })
        };
        // Reading it can take a pass over the history, so the fast lane does it only if the slow one has no collector.
        let reads_inventory = lane == Lane::Slow || !has_slow_lane();
        LaneTask {
            lane,
            session,
            reads_inventory,
            collectors,
            failed_attempts: 0,
            outage: None,
            started,
            exporter,
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut not_run_yet = self.collectors.len();
        loop {
            let next = (0..self.collectors.len()).min_by_key(|&index| self.collectors[index].schedule.due);
            let Some(next) = next else {
                self.exporter.run_status.mark_ready(self.lane);
                return;
            };
            let due = self.collectors[next].schedule.due;
            let due = self.exporter.paused_until().map_or(due, |end| end.max(due));
            self.exporter.run_status.set_heartbeat_deadline(self.lane, due);
            tokio::select! {
                () = sleep_until(due) => {}
                () = shutdown.cancelled() => break,
            }
            if self.exporter.paused_until().is_some() {
                continue;
            }
            let deadline = Instant::now() + self.longest_run(next);
            self.exporter.run_status.set_heartbeat_deadline(self.lane, deadline);
            tokio::select! {
                () = self.run_next(next) => {}
                // The server notices the closed connection, and its statement time-out bounds what still runs.
                () = shutdown.cancelled() => break,
            }
            not_run_yet = not_run_yet.saturating_sub(1);
            if not_run_yet == 0 || self.failed_attempts > 0 {
                self.exporter.run_status.mark_ready(self.lane);
            }
        }
        self.session.close().await;
    }

    /// Returns an upper bound for a run: connecting, reading the catalog, and each query up to its time-out.
    fn longest_run(&self, index: usize) -> Duration {
        let queries = self.collectors[index].collector.queries.len();
        let statements = u32::try_from(queries).unwrap_or(u32::MAX).saturating_add(8);
        self.exporter.config.collectors.timeout.saturating_mul(statements).saturating_add(LONGEST_CONNECT)
    }

    /// Runs a collector, publishes the outcome and schedules the next run.
    async fn run_next(&mut self, index: usize) {
        let began = Instant::now();
        let collector = self.collectors[index].collector;
        // A panic in one collector's code must not end the lane.
        let run = AssertUnwindSafe(self.run_collector(collector)).catch_unwind();
        let outcome = run.await.unwrap_or_else(|_| {
            let failure = Failure::new(Reason::Unavailable, "internal fault, see the log line before");
            Outcome::Failed(Vec::new(), failure, Cost { busy: Duration::ZERO, own: Duration::ZERO })
        });
        if let Outcome::Failed(_, failure, _) | Outcome::NotReached(failure) = &outcome
            && failure.reason == Reason::OutOfMemory
        {
            self.exporter.pause(OUT_OF_MEMORY_PAUSE);
        }
        let took = began.elapsed();
        self.collectors[index].is_here = !matches!(outcome, Outcome::NotHere);
        match outcome {
            Outcome::NotHere => {
                self.exporter.snapshot.remove(collector, self.lane);
                self.exporter.self_metrics.remove(collector, self.lane);
                self.exporter.run_status.remove(collector.name, self.lane);
                self.schedule_next(index, Some(Duration::ZERO));
            }
            Outcome::Collected(samples, cost) => {
                let interval = self.schedule_next(index, Some(cost.own));
                let expires = self.expiry(interval);
                let replaced = self.exporter.snapshot.replace(collector, self.lane, samples, expires);
                let failure = replaced.err().map(|error| Failure::new(Reason::Other, error.to_string()));
                self.record_and_log(index, took, cost.busy, failure.as_ref());
            }
            Outcome::Failed(samples, failure, cost) => {
                if matches!(failure.reason, Reason::SchemaChanged | Reason::Unavailable) {
                    self.exporter.schema_cache.invalidate();
                }
                let is_first = self.collectors[index].last_failure != Some(failure.reason);
                let charged = match failure.reason {
                    // Waiting for a lock costs the database nothing.
                    Reason::Lock => None,
                    Reason::Timeout if is_first && self.defer_pause(index, cost.own) => None,
                    _ => Some(cost.own),
                };
                let interval = self.schedule_next(index, charged);
                let expires = self.expiry(interval);
                if failure.reason == Reason::Unavailable && is_first {
                    // Most connections are lost to a restart of the server. The collector must not wait a slow
                    // interval after it. If its query ends the connection, the second failure is not the first.
                    let soon = Instant::now() + self.exporter.config.collectors.interval;
                    self.collectors[index].schedule.bring_forward(soon);
                }
                // Ignore an encoding error here: the failure of the query is what gets reported.
                let _ = self.exporter.snapshot.update(collector, self.lane, samples, expires);
                self.record_and_log(index, took, cost.busy, Some(&failure));
            }
            Outcome::NotReached(failure) => {
                // The next connection can reach another database: restored, migrated or promoted.
                self.exporter.schema_cache.invalidate();
                self.back_off(&failure, took);
            }
        }
    }

    /// Returns when samples collected now expire.
    fn expiry(&self, interval: Duration) -> Instant {
        Instant::now() + self.exporter.config.collectors.lifetime(interval)
    }

    /// Schedules a collector's next run and returns its interval; `cost` is `None` if the run is not charged.
    pub(super) fn schedule_next(&mut self, index: usize, cost: Option<Duration>) -> Duration {
        let configured = configured_interval(&self.exporter, self.lane);
        let grid = self.started + configured.mul_f64(share(index + 1, self.collectors.len()));
        let required = cost.map(|cost| self.exporter.config.collectors.pause_after(cost));
        self.collectors[index].schedule.set_next(required, configured, Some(grid))
    }

    /// Defers the pause after a run of this cost, and returns whether it did.
    pub(super) fn defer_pause(&mut self, index: usize, cost: Duration) -> bool {
        let pause = self.exporter.config.collectors.pause_after(cost);
        self.collectors[index].schedule.defer(pause)
    }

    /// Pauses the lane as a whole and records a failed run of each collector that is due.
    pub(super) fn back_off(&mut self, failure: &Failure, took: Duration) {
        let longest = self.exporter.config.collectors.interval;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failed_attempts)).min(longest);
        // Jitter keeps exporters from reconnecting to a restarted database all at the same moment.
        let again = Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        let lane = self.lane.label();
        if self.outage.get_or_insert_with(Outage::begin).note_error(&failure.message) {
            warn!(lane, error = %failure, "the database is not reached; all collectors of this lane wait");
        } else {
            debug!(lane, error = %failure, "the database is still not reached");
        }
        let now = Instant::now();
        for index in 0..self.collectors.len() {
            if self.collectors[index].schedule.due <= now && self.collectors[index].is_here {
                self.record(index, took, Duration::ZERO, Some(failure));
            }
            self.collectors[index].schedule.back_off(again);
        }
    }

    fn record_and_log(&mut self, index: usize, took: Duration, busy: Duration, failure: Option<&Failure>) {
        self.record(index, took, busy, failure);
        self.collectors[index].log(self.lane, failure);
    }

    /// Records a run in the run status and in the exporter's own metrics.
    fn record(&mut self, index: usize, took: Duration, busy: Duration, failure: Option<&Failure>) {
        let lane = self.lane;
        let ScheduledCollector { collector, schedule, .. } = &self.collectors[index];
        let exporter = &self.exporter;
        exporter.self_metrics.record_run(collector, lane, took, busy, failure.map(|failure| failure.reason));
        exporter.self_metrics.set_interval(collector, lane, schedule.interval);
        let error = failure.map(ToString::to_string);
        exporter.run_status.record_run(collector.name, lane, took, schedule.interval, error);
    }
}

fn configured_interval(exporter: &Exporter, lane: Lane) -> Duration {
    let collectors = &exporter.config.collectors;
    match lane {
        Lane::Fast => collectors.interval,
        Lane::Slow => collectors.slow_interval,
    }
}
