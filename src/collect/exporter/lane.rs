//! A lane's task. It stretches a collector's interval where the load budget demands it, backs off while the
//! database is away, and lets no failure of one collector touch another.

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
use super::schedule::{Turn, share};
use crate::collect::collector::Lane;
use crate::collect::collectors::COLLECTORS;
use crate::postgres::{Failure, LONGEST_CONNECT, Reason, Session};

/// The first pause after the database was not reached; it doubles up to the fast interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The pause after the server ran out of memory or locks. What we hold then is missing to the scheduler.
const OUT_OF_MEMORY_PAUSE: Duration = Duration::from_mins(10);

pub(super) struct LaneTask {
    pub(super) exporter: Arc<Exporter>,
    pub(super) lane: Lane,
    pub(super) session: Session,
    /// Whether the inventory of queues is this lane's.
    pub(super) takes_inventory: bool,
    pub(super) turns: Vec<Turn>,
    /// Attempts to reach the database that failed in a row.
    pub(super) misses: u32,
    /// Since when the database is not reached, if so.
    pub(super) outage: Option<Outage>,
    pub(super) started: Instant,
}

impl LaneTask {
    pub(super) fn new(exporter: Arc<Exporter>, lane: Lane) -> Self {
        let config = &exporter.config;
        let interval = configured_interval(&exporter, lane);
        let started = Instant::now();
        let turns = COLLECTORS
            .iter()
            .filter(|collector| config.collectors.is_enabled(collector.name) && collector.may_run_in(lane))
            .map(|collector| Turn::new(collector, started, interval))
            .collect();
        let session = Session::new(config.database.clone(), config.collectors.timeout);
        // It can be a pass over the history, for which the fast lane waits only where nobody else is.
        let is_alone = || {
            !COLLECTORS.iter().any(|collector| {
                config.collectors.is_enabled(collector.name) && collector.may_run_in(Lane::Slow)
            })
        };
        let takes_inventory = lane == Lane::Slow || is_alone();
        LaneTask { lane, session, takes_inventory, turns, misses: 0, outage: None, started, exporter }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut first_round = self.turns.len();
        loop {
            let Some(next) = (0..self.turns.len()).min_by_key(|&index| self.turns[index].due) else {
                self.exporter.run_status.mark_ready(self.lane);
                return;
            };
            let due =
                self.exporter.rests_until().map_or(self.turns[next].due, |end| end.max(self.turns[next].due));
            self.exporter.run_status.set_heartbeat_deadline(self.lane, due);
            tokio::select! {
                () = sleep_until(due) => {}
                () = shutdown.cancelled() => break,
            }
            if self.exporter.rests_until().is_some() {
                continue;
            }
            self.exporter
                .run_status
                .set_heartbeat_deadline(self.lane, Instant::now() + self.longest_turn(next));
            tokio::select! {
                () = self.turn(next) => {}
                // The server notices that the connection is gone, and its own time-out bounds what still runs.
                () = shutdown.cancelled() => break,
            }
            first_round = first_round.saturating_sub(1);
            if first_round == 0 || self.misses > 0 {
                self.exporter.run_status.mark_ready(self.lane);
            }
        }
        self.session.close().await;
    }

    /// More than a turn can take: connecting, each query up to its time-out, and reading the catalog before.
    fn longest_turn(&self, index: usize) -> Duration {
        let statements =
            u32::try_from(self.turns[index].collector.queries.len()).unwrap_or(u32::MAX).saturating_add(8);
        self.exporter.config.collectors.timeout.saturating_mul(statements).saturating_add(LONGEST_CONNECT)
    }

    async fn turn(&mut self, index: usize) {
        let began = Instant::now();
        let collector = self.turns[index].collector;
        // A fault in one collector's code must not end the lane.
        let outcome = AssertUnwindSafe(self.attempt(collector)).catch_unwind().await.unwrap_or_else(|_| {
            let failure = Failure::new(Reason::Unavailable, "internal fault, see the log line before");
            Outcome::Failed(Vec::new(), failure, Cost { busy: Duration::ZERO, own: Duration::ZERO })
        });
        if let Outcome::Failed(_, failure, _) | Outcome::NotReached(failure) = &outcome
            && failure.reason == Reason::OutOfMemory
        {
            self.exporter.rest(OUT_OF_MEMORY_PAUSE);
        }
        let took = began.elapsed();
        self.turns[index].is_here = !matches!(outcome, Outcome::NotHere);
        match outcome {
            Outcome::NotHere => {
                self.exporter.snapshot.forget(collector, self.lane);
                self.exporter.self_metrics.forget(collector, self.lane);
                self.exporter.run_status.forget(collector.name, self.lane);
                self.reschedule(index, Some(Duration::ZERO));
            }
            Outcome::Collected(answers, cost) => {
                let interval = self.reschedule(index, Some(cost.own));
                let expires = self.expiry(interval);
                let replaced = self.exporter.snapshot.replace(collector, self.lane, answers, expires);
                let failure = replaced.err().map(|error| Failure::new(Reason::Other, error.to_string()));
                self.note(index, took, cost.busy, failure.as_ref());
            }
            Outcome::Failed(answers, failure, cost) => {
                if matches!(failure.reason, Reason::SchemaChanged | Reason::Unavailable) {
                    self.exporter.schema_cache.invalidate();
                }
                let is_first = self.turns[index].last_failure != Some(failure.reason);
                let own = match failure.reason {
                    // To wait for a lock costs the database nothing.
                    Reason::Lock => None,
                    Reason::Timeout if is_first && self.puts_off(index, cost.own) => None,
                    _ => Some(cost.own),
                };
                let interval = self.reschedule(index, own);
                let expires = self.expiry(interval);
                if failure.reason == Reason::Unavailable && is_first {
                    // A connection is most likely lost to a restart, after which nobody should wait for a
                    // slow interval. If it is this query that ends it, the next time shows that.
                    let soon = Instant::now() + self.exporter.config.collectors.interval;
                    self.turns[index].due = self.turns[index].due.min(soon);
                }
                // That an answer cannot be encoded is the lesser news.
                let _ = self.exporter.snapshot.update(collector, self.lane, answers, expires);
                self.note(index, took, cost.busy, Some(&failure));
            }
            Outcome::NotReached(failure) => {
                // What comes back can be another database: restored, migrated, promoted.
                self.exporter.schema_cache.invalidate();
                self.back_off(&failure, took);
            }
        }
    }

    /// Until when answers that are had now are published.
    fn expiry(&self, interval: Duration) -> Instant {
        Instant::now() + self.exporter.config.collectors.lifetime(interval)
    }

    /// Sets a collector's next turn and says what its interval is now; `cost` where the run told it.
    pub(super) fn reschedule(&mut self, index: usize, cost: Option<Duration>) -> Duration {
        let collectors = &self.exporter.config.collectors;
        let configured = configured_interval(&self.exporter, self.lane);
        let origin = self.started + configured.mul_f64(share(index + 1, self.turns.len()));
        let demanded = cost.map(|cost| collectors.pause_after(cost));
        self.turns[index].reschedule(demanded, configured, origin)
    }

    /// Whether the pause after a run of this cost is put off.
    pub(super) fn puts_off(&mut self, index: usize, cost: Duration) -> bool {
        let pause = self.exporter.config.collectors.pause_after(cost);
        self.turns[index].debt.puts_off(pause)
    }

    /// The database is away: every collector that is due has failed, and the lane pauses as a whole.
    pub(super) fn back_off(&mut self, failure: &Failure, took: Duration) {
        let cap = self.exporter.config.collectors.interval;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.misses)).min(cap);
        // Jitter, or all exporters of a restarted database come back in the same moment.
        let again = Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.misses = self.misses.saturating_add(1);
        let lane = self.lane.label();
        if self.outage.get_or_insert_with(Outage::begin).note_error(&failure.message) {
            warn!(lane, error = %failure, "the database is not reached; all collectors of this lane wait");
        } else {
            debug!(lane, error = %failure, "the database is still not reached");
        }
        let now = Instant::now();
        for index in 0..self.turns.len() {
            if self.turns[index].due <= now && self.turns[index].is_here {
                self.record(index, took, Duration::ZERO, Some(failure));
            }
            self.turns[index].due = self.turns[index].due.max(again);
        }
    }

    /// Publishes what came of a run, and logs it if it is news.
    fn note(&mut self, index: usize, took: Duration, busy: Duration, failure: Option<&Failure>) {
        self.record(index, took, busy, failure);
        self.turns[index].log(self.lane, failure);
    }

    /// Publishes what came of a run.
    fn record(&mut self, index: usize, took: Duration, busy: Duration, failure: Option<&Failure>) {
        let lane = self.lane;
        let Turn { collector, interval, .. } = &self.turns[index];
        let exporter = &self.exporter;
        exporter.self_metrics.record_run(collector, lane, took, busy, failure.map(|failure| failure.reason));
        exporter.self_metrics.set_interval(collector, lane, *interval);
        exporter.run_status.record_run(
            collector.name,
            lane,
            took,
            *interval,
            failure.map(ToString::to_string),
        );
    }
}

fn configured_interval(exporter: &Exporter, lane: Lane) -> Duration {
    let collectors = &exporter.config.collectors;
    match lane {
        Lane::Fast => collectors.interval,
        Lane::Slow => collectors.slow_interval,
    }
}
