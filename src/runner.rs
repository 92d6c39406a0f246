//! Two lanes, each a task with one connection that runs its collectors one after the other: the fast lane
//! what follows unfinished work, the slow lane what reads the history, so that stuck jobs never wait behind
//! a long query. A lane stretches a collector's interval where the load budget demands it, backs off while
//! the database is away, and lets no failure of one collector touch another.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::catalog::Catalog;
use crate::collector::{COLLECTORS, Collector, Context, Lane};
use crate::config::Config;
use crate::database::{Failure, Reason, Run, Session};
use crate::family::Samples;
use crate::queues::Queues;
use crate::schema::{Lack, Schema};
use crate::serve::ends;
use crate::snapshot::Snapshot;
use crate::status::{Standing, Status};
use crate::telemetry::Telemetry;

/// The first pause after the database was not reached; it doubles up to the fast interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What the lanes write and the server reads.
pub struct Exporter {
    pub config: Config,
    pub snapshot: Snapshot,
    pub status: Status,
    pub telemetry: Telemetry,
    catalog: Catalog,
}

impl Exporter {
    /// # Errors
    /// When a metric is declared wrongly.
    pub fn new(config: Config) -> prometheus::Result<Self> {
        let exporter = Exporter {
            config,
            snapshot: Snapshot::default(),
            status: Status::default(),
            telemetry: Telemetry::new()?,
            catalog: Catalog::default(),
        };
        exporter.telemetry.reached(false);
        for collector in COLLECTORS {
            exporter.note_standing(collector, None);
        }
        Ok(exporter)
    }

    fn is_enabled(&self, collector: &Collector) -> bool {
        !self.config.collectors.disabled.contains(collector.name)
    }

    /// Notes whether a collector runs; `schema` where it is known by now.
    fn note_standing(&self, collector: &'static Collector, schema: Option<&Schema>) {
        let standing = if self.is_enabled(collector) {
            match schema.and_then(|schema| collector.lack(schema)) {
                None => Standing::Enabled,
                Some(Lack::Missing(what)) => {
                    Standing::Disabled { reason: "missing_table", what: format!("no {what}") }
                }
                Some(Lack::Permission(what)) => {
                    Standing::Disabled { reason: "permission", what: format!("{what} may not be read") }
                }
            }
        } else {
            Standing::Disabled { reason: "disabled", what: "switched off by configuration".to_owned() }
        };
        let reason = match &standing {
            Standing::Enabled => None,
            Standing::Disabled { reason, .. } => Some(*reason),
        };
        self.telemetry.enabled(collector, reason);
        self.status.stands(collector.name, standing);
    }

    /// Runs the collectors of `lane` until `shutdown` turns true.
    pub async fn run(self: Arc<Self>, lane: Lane, shutdown: watch::Receiver<bool>) {
        LaneTask::new(self, lane).run(shutdown).await;
    }
}

struct LaneTask {
    exporter: Arc<Exporter>,
    lane: Lane,
    session: Session,
    turns: Vec<Turn>,
    /// Attempts to reach the database that failed in a row.
    misses: u32,
    started: Instant,
}

/// A collector's place in the lane's round.
struct Turn {
    collector: &'static Collector,
    due: Instant,
    interval: Duration,
    last_failure: Option<Reason>,
}

/// What came of a turn.
enum Outcome {
    /// Its samples, and how long the database worked for them.
    Collected(Vec<Samples>, Duration),
    /// It has no query in this lane here.
    NotHere,
}

impl LaneTask {
    fn new(exporter: Arc<Exporter>, lane: Lane) -> Self {
        let config = &exporter.config;
        let interval = match lane {
            Lane::Fast => config.collectors.interval,
            Lane::Slow => config.collectors.slow_interval,
        };
        let started = Instant::now();
        let turns = COLLECTORS
            .iter()
            .filter(|collector| exporter.is_enabled(collector))
            .map(|collector| Turn { collector, due: started, interval, last_failure: None })
            .collect();
        let session = Session::new(config.database.clone(), config.collectors.timeout);
        LaneTask { lane, session, turns, misses: 0, started, exporter }
    }

    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
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
        match outcome {
            Ok(Outcome::NotHere) => {
                self.exporter.snapshot.forget(collector, self.lane);
                self.exporter.telemetry.forget(collector, self.lane);
                self.exporter.status.forget(collector.name, self.lane);
                self.reschedule(index, Duration::ZERO);
            }
            Ok(Outcome::Collected(samples, busy)) => {
                let interval = self.reschedule(index, busy);
                let lifetime = self.exporter.config.collectors.stale_after.max(interval * 3);
                let replaced =
                    self.exporter.snapshot.replace(collector, self.lane, samples, Instant::now() + lifetime);
                let failure = replaced.err().map(|error| Failure::new(Reason::Other, error.to_string()));
                self.note(index, took, busy, failure.as_ref());
            }
            Err((failure, _)) if failure.reason == Reason::Unavailable => self.back_off(&failure, took),
            Err((failure, busy)) => {
                if failure.reason == Reason::SchemaChanged {
                    self.exporter.catalog.forget_schema();
                }
                self.reschedule(index, busy);
                self.note(index, took, busy, Some(&failure));
            }
        }
    }

    /// One transaction. A failure comes with the time that the database spent on it all the same.
    async fn attempt(&mut self, collector: &'static Collector) -> Result<Outcome, (Failure, Duration)> {
        let begun = self.session.begin().await;
        self.exporter.telemetry.reached(begun.is_ok());
        let mut run = begun.map_err(|failure| (failure, Duration::ZERO))?;
        self.misses = 0;
        let outcome = self.exporter.collect(collector, self.lane, &mut run).await;
        let busy = run.busy();
        let gone = matches!(&outcome, Err(failure) if failure.reason == Reason::Unavailable);
        if gone {
            self.exporter.telemetry.reached(false);
        }
        self.session.finish(run, outcome.as_ref().err()).await;
        match outcome {
            Ok(Some(samples)) => Ok(Outcome::Collected(samples, busy)),
            Ok(None) => Ok(Outcome::NotHere),
            Err(failure) => Err((failure, busy)),
        }
    }

    /// Sets a collector's next turn and says what its interval is now.
    ///
    /// Turns keep to a grid, shifted from collector to collector, so that they are spread over the interval
    /// from the second round on and again after an outage. Where the budget demands a longer pause, that
    /// pause is all there is.
    fn reschedule(&mut self, index: usize, busy: Duration) -> Duration {
        let collectors = &self.exporter.config.collectors;
        let configured = match self.lane {
            Lane::Fast => collectors.interval,
            Lane::Slow => collectors.slow_interval,
        };
        let demanded = busy.div_f64(collectors.load_budget);
        let earliest = Instant::now() + demanded;
        let offset = configured.mul_f64(share(index + 1, self.turns.len()));
        let turn = &mut self.turns[index];
        turn.interval = configured.max(demanded);
        turn.due = if demanded > configured {
            earliest
        } else {
            next_on_grid(self.started + offset, configured, earliest)
        };
        turn.interval
    }

    /// The database is away: every collector that is due has failed, and the lane pauses as a whole.
    fn back_off(&mut self, failure: &Failure, took: Duration) {
        let cap = self.exporter.config.collectors.interval;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.misses)).min(cap);
        // Jitter, or all exporters of a restarted database come back in the same moment.
        let again = Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.misses = self.misses.saturating_add(1);
        let now = Instant::now();
        for index in 0..self.turns.len() {
            if self.turns[index].due <= now {
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

impl Exporter {
    /// The samples of a collector's queries in one lane, or none where it has no query there.
    async fn collect(
        &self,
        collector: &'static Collector,
        lane: Lane,
        run: &mut Run,
    ) -> Result<Option<Vec<Samples>>, Failure> {
        let (schema, is_new) = self.catalog.schema(run, &self.config).await?;
        let schema = &*schema;
        if is_new {
            self.telemetry.database(self.config.database.schema.as_str(), schema);
            for collector in COLLECTORS {
                self.note_standing(collector, Some(schema));
            }
        }
        if collector.queries_in(lane, schema).next().is_none() {
            return Ok(None);
        }
        let census = self.catalog.census(run, &self.config, schema, lane).await?;
        let queues = run
            .query(async |connection| Queues::read(connection, schema, &census, &self.config.queues).await)
            .await?;
        let context = Context { config: &self.config, schema, queues: &queues };
        collector.collect(lane, run, &context).await.map(Some)
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
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
