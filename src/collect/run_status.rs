//! Status of the runs, for the exporter's own metrics, the status page and the health routes: the latest run of each
//! collector at each pace, whether each task has run once, and the runner's heartbeat deadline.
//!
//! The runner writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::collect::availability::Availability;
use crate::collect::pace::Pace;

/// How long after its heartbeat deadline the runner counts as stuck.
const GRACE: Duration = Duration::from_mins(1);

/// How long readiness waits for the first passes after the first numbers.
const FIRST_PASSES: Duration = Duration::from_secs(10);

/// The latest run of a collector at a pace. Times are monotonic.
#[derive(Debug, Clone)]
pub struct LatestRun {
    pub last_success: Option<Success>,
    pub interval: Duration,
    pub took: Duration,
    /// Why the run failed, `None` if it succeeded.
    pub error: Option<String>,
}

/// When a successful run began and ended. Its numbers are from the time between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Success {
    pub began: Instant,
    pub ended: Instant,
}

#[derive(Debug, Default)]
pub struct RunStatus(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    availability: BTreeMap<&'static str, Availability>,
    latest: BTreeMap<(&'static str, Pace), LatestRun>,
    is_ready: bool,
    /// When the first run of the most urgent pace ended.
    first_numbers: Option<Instant>,
    heartbeat_deadline: Option<Instant>,
}

impl RunStatus {
    /// Records the availability of a collector and returns the one before.
    pub fn set_availability(
        &self,
        collector: &'static str,
        availability: Availability,
    ) -> Option<Availability> {
        self.lock().availability.insert(collector, availability)
    }

    pub fn availability(&self, collector: &str) -> Option<Availability> {
        self.lock().availability.get(collector).cloned()
    }

    /// Records a run that ends now; `error` is `None` if it succeeded.
    pub fn record_run(
        &self,
        collector: &'static str,
        pace: Pace,
        began: Instant,
        interval: Duration,
        error: Option<String>,
    ) {
        let mut inner = self.lock();
        let ended = Instant::now();
        let before = inner.latest.get(&(collector, pace)).and_then(|latest| latest.last_success);
        let last_success = if error.is_none() { Some(Success { began, ended }) } else { before };
        let latest = LatestRun { last_success, interval, took: ended.duration_since(began), error };
        inner.latest.insert((collector, pace), latest);
    }

    /// Removes the latest run of a collector that does not run at this pace any more.
    pub fn remove(&self, collector: &'static str, pace: Pace) {
        self.lock().latest.remove(&(collector, pace));
    }

    /// Returns the latest run of a collector at each pace that it has.
    pub fn latest(&self, collector: &'static str) -> Vec<(Pace, LatestRun)> {
        let inner = self.lock();
        Pace::ALL
            .into_iter()
            .filter_map(|pace| Some((pace, inner.latest.get(&(collector, pace))?.clone())))
            .collect()
    }

    /// Returns when each collector last succeeded, without those that never did.
    pub fn successes(&self) -> Vec<(&'static str, Pace, Success)> {
        let inner = self.lock();
        let latest = inner.latest.iter();
        latest
            .filter_map(|(&(collector, pace), latest)| Some((collector, pace, latest.last_success?)))
            .collect()
    }

    /// Records that a run of the most urgent pace has ended.
    pub fn note_first_numbers(&self) {
        self.lock().first_numbers.get_or_insert_with(Instant::now);
    }

    /// Records that each task has run once, or that the database cannot be reached.
    pub fn mark_ready(&self) {
        self.lock().is_ready = true;
    }

    /// Whether each task has run once, the database cannot be reached, or the first numbers have been there for so long that
    /// the others are worth no more waiting: a pass over a large history can take minutes.
    pub fn is_ready(&self) -> bool {
        let inner = self.lock();
        inner.is_ready || inner.first_numbers.is_some_and(|at| at.elapsed() >= FIRST_PASSES)
    }

    /// Sets the time by which the runner must report again.
    pub fn set_heartbeat_deadline(&self, deadline: Instant) {
        self.lock().heartbeat_deadline = Some(deadline);
    }

    /// Whether the runner is not past its heartbeat deadline. If it is, the process should be restarted.
    pub fn is_healthy(&self) -> bool {
        self.lock().heartbeat_deadline.is_none_or(|deadline| Instant::now() < deadline + GRACE)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}
