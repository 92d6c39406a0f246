//! A lane's task. It stretches a collector's interval where the load budget demands it, backs off while the
//! database is away, and lets no failure of one collector touch another.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::Exporter;
use crate::collector::{Collector, Lane};
use crate::collectors::COLLECTORS;
use crate::database::{Failure, Reason, Session};
use crate::family::Samples;
use crate::shutdown::ends;

/// The first pause after the database was not reached; it doubles up to the fast interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct LaneTask {
    pub(super) exporter: Arc<Exporter>,
    pub(super) lane: Lane,
    session: Session,
    pub(super) turns: Vec<Turn>,
    /// Attempts to reach the database that failed in a row.
    pub(super) misses: u32,
    pub(super) started: Instant,
}

/// A collector's place in the lane's round.
pub(super) struct Turn {
    pub(super) collector: &'static Collector,
    pub(super) due: Instant,
    /// The pause that the load budget demands after a run.
    demanded: Duration,
    /// The interval in force.
    interval: Duration,
    /// Whether it has a query in this lane here, as far as known.
    is_here: bool,
    last_failure: Option<Reason>,
}

/// What came of a turn.
enum Outcome {
    Collected(Vec<Samples>, Cost),
    /// It has no query in this lane here.
    NotHere,
    Failed(Failure, Cost),
    /// The database was not even reached.
    NotReached(Failure),
}

/// How long a run kept the database busy.
#[derive(Clone, Copy)]
struct Cost {
    /// In all.
    busy: Duration,
    /// With the collector's own queries. What reading the catalog took is no reason to run the collector that
    /// came upon an old one less often: all of them use it.
    own: Duration,
}

impl LaneTask {
    pub(super) fn new(exporter: Arc<Exporter>, lane: Lane) -> Self {
        let config = &exporter.config;
        let interval = match lane {
            Lane::Fast => config.collectors.interval,
            Lane::Slow => config.collectors.slow_interval,
        };
        let started = Instant::now();
        let turns = COLLECTORS
            .iter()
            .filter(|collector| config.collectors.is_enabled(collector.name) && collector.may_run_in(lane))
            .map(|collector| Turn {
                collector,
                due: started,
                demanded: Duration::ZERO,
                interval,
                is_here: true,
                last_failure: None,
            })
            .collect();
        let session = Session::new(config.database.clone(), config.collectors.timeout);
        LaneTask { lane, session, turns, misses: 0, started, exporter }
    }

    pub(super) async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut first_round = self.turns.len();
        loop {
            let Some(next) = (0..self.turns.len()).min_by_key(|&index| self.turns[index].due) else {
                self.exporter.status.been_round(self.lane);
                return;
            };
            self.exporter.status.promise(self.lane, self.turns[next].due);
            tokio::select! {
                () = sleep_until(self.turns[next].due) => {}
                () = ends(&mut shutdown) => break,
            }
            self.exporter.status.promise(self.lane, Instant::now() + self.longest_turn(next));
            tokio::select! {
                () = self.turn(next) => {}
                // The server notices that the connection is gone, and its own time-out bounds what still runs.
                () = ends(&mut shutdown) => break,
            }
            first_round = first_round.saturating_sub(1);
            if first_round == 0 || self.misses > 0 {
                self.exporter.status.been_round(self.lane);
            }
        }
        self.session.close().await;
    }

    /// More than a turn can take: each query up to its time-out, and reading the catalog before.
    fn longest_turn(&self, index: usize) -> Duration {
        let statements =
            u32::try_from(self.turns[index].collector.queries.len()).unwrap_or(u32::MAX).saturating_add(8);
        self.exporter.config.collectors.timeout.saturating_mul(statements)
    }

    async fn turn(&mut self, index: usize) {
        let began = Instant::now();
        let collector = self.turns[index].collector;
        let outcome = self.attempt(collector).await;
        let took = began.elapsed();
        self.turns[index].is_here = !matches!(outcome, Outcome::NotHere);
        match outcome {
            Outcome::NotHere => {
                self.exporter.snapshot.forget(collector, self.lane);
                self.exporter.telemetry.forget(collector, self.lane);
                self.exporter.status.forget(collector.name, self.lane);
                self.reschedule(index, Some(Duration::ZERO));
            }
            Outcome::Collected(samples, cost) => {
                let interval = self.reschedule(index, Some(cost.own));
                let lifetime = self.exporter.config.collectors.lifetime(interval);
                let replaced =
                    self.exporter.snapshot.replace(collector, self.lane, samples, Instant::now() + lifetime);
                let failure = replaced.err().map(|error| Failure::new(Reason::Other, error.to_string()));
                self.note(index, took, cost.busy, failure.as_ref());
            }
            Outcome::Failed(failure, cost) => {
                if failure.reason == Reason::SchemaChanged {
                    self.exporter.catalog.doubt_schema();
                }
                // To wait for a lock costs the database nothing.
                let own = (failure.reason != Reason::Lock).then_some(cost.own);
                self.reschedule(index, own);
                let lost_before = self.turns[index].last_failure == Some(Reason::Unavailable);
                if failure.reason == Reason::Unavailable && !lost_before {
                    // A connection is most likely lost to a restart, after which nobody should wait for a
                    // slow interval. If it is this query that ends it, the next time shows that.
                    let soon = Instant::now() + self.exporter.config.collectors.interval;
                    self.turns[index].due = self.turns[index].due.min(soon);
                }
                self.note(index, took, cost.busy, Some(&failure));
            }
            Outcome::NotReached(failure) => self.back_off(&failure, took),
        }
    }

    /// One transaction.
    async fn attempt(&mut self, collector: &'static Collector) -> Outcome {
        let begun = self.session.begin().await;
        self.exporter.telemetry.reached(begun.is_ok());
        let mut run = match begun {
            Ok(run) => run,
            Err(failure) => return Outcome::NotReached(failure),
        };
        self.misses = 0;
        let known = self.exporter.look(collector, self.lane, &mut run).await;
        let looked = run.busy();
        let outcome = match known {
            Ok(None) => {
                self.session.finish(run, None).await;
                return Outcome::NotHere;
            }
            Ok(Some(known)) => self.exporter.collect(collector, self.lane, &known, &mut run).await,
            Err(failure) => Err(failure),
        };
        let cost = Cost { busy: run.busy(), own: run.busy().saturating_sub(looked) };
        if outcome.as_ref().is_err_and(|failure| failure.reason == Reason::Unavailable) {
            self.exporter.telemetry.reached(false);
        }
        self.session.finish(run, outcome.as_ref().err()).await;
        match outcome {
            Ok(samples) => Outcome::Collected(samples, cost),
            Err(failure) => Outcome::Failed(failure, cost),
        }
    }

    /// Sets a collector's next turn and says what its interval is now; `cost` where the run told it.
    ///
    /// Turns keep to a grid, shifted from collector to collector, so that they are spread over the interval
    /// from the second round on and again after an outage. Where the budget demands a longer pause, that
    /// pause is all there is.
    pub(super) fn reschedule(&mut self, index: usize, cost: Option<Duration>) -> Duration {
        let collectors = &self.exporter.config.collectors;
        let configured = match self.lane {
            Lane::Fast => collectors.interval,
            Lane::Slow => collectors.slow_interval,
        };
        let offset = configured.mul_f64(share(index + 1, self.turns.len()));
        let turn = &mut self.turns[index];
        if let Some(cost) = cost {
            turn.demanded = collectors.pause_after(cost);
        }
        let earliest = Instant::now() + turn.demanded;
        turn.interval = configured.max(turn.demanded);
        turn.due = if turn.demanded > configured {
            earliest
        } else {
            next_on_grid(self.started + offset, configured, earliest)
        };
        turn.interval
    }

    /// The database is away: every collector that is due has failed, and the lane pauses as a whole.
    pub(super) fn back_off(&mut self, failure: &Failure, took: Duration) {
        let cap = self.exporter.config.collectors.interval;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.misses)).min(cap);
        // Jitter, or all exporters of a restarted database come back in the same moment.
        let again = Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.misses = self.misses.saturating_add(1);
        let now = Instant::now();
        for index in 0..self.turns.len() {
            if self.turns[index].due <= now && self.turns[index].is_here {
                self.note(index, took, Duration::ZERO, Some(failure));
            }
            self.turns[index].due = self.turns[index].due.max(again);
        }
    }

    fn note(&mut self, index: usize, took: Duration, busy: Duration, failure: Option<&Failure>) {
        let lane = self.lane;
        let Turn { collector, interval, last_failure, .. } = &mut self.turns[index];
        let exporter = &self.exporter;
        let reason = failure.map(|failure| failure.reason);
        exporter.telemetry.ran(collector, lane, took, busy, reason);
        exporter.telemetry.interval(collector, lane, *interval);
        exporter.status.ran(collector.name, lane, took, *interval, failure.map(ToString::to_string));
        if let Some(failure) = failure {
            let (collector, lane, reason) = (collector.name, lane.label(), failure.reason.label());
            if *last_failure == Some(failure.reason) {
                debug!(collector, lane, reason, error = %failure, "a run failed again");
            } else {
                warn!(collector, lane, reason, error = %failure, "a run failed");
            }
        }
        *last_failure = reason;
    }
}

/// The first time on the grid `origin + n × interval` after `earliest`.
fn next_on_grid(origin: Instant, interval: Duration, earliest: Instant) -> Instant {
    if earliest < origin {
        return origin;
    }
    let rounds = ((earliest - origin).as_secs_f64() / interval.as_secs_f64()).floor();
    origin + interval.mul_f64(rounds + 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "collectors are counted in dozens")]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
