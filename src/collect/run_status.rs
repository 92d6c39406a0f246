//! Status of the runs, for the status page and the health routes: the latest run of each collector in each lane,
//! whether each collector of a lane has run once, and each lane's heartbeat deadline. The lanes write it.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::collect::availability::Availability;
use crate::collect::collector::Lane;

/// How long after its heartbeat deadline a lane counts as stuck.
const GRACE: Duration = Duration::from_mins(1);

/// The latest run of a collector in a lane.
#[derive(Debug, Clone)]
pub struct LatestRun {
    /// Monotonic.
    pub last_success: Option<Instant>,
    pub interval: Duration,
    pub took: Duration,
    /// Why the run failed, `None` if it succeeded.
    pub error: Option<String>,
}

#[derive(Debug, Default)]
pub struct RunStatus(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    availability: BTreeMap<&'static str, Availability>,
    latest: BTreeMap<(&'static str, Lane), LatestRun>,
    /// Lanes of which each collector has run once.
    ready: Vec<Lane>,
    heartbeat_deadlines: BTreeMap<Lane, Instant>,
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

    /// Records a run; `error` is `None` if it succeeded.
    pub fn record_run(
        &self,
        collector: &'static str,
        lane: Lane,
        took: Duration,
        interval: Duration,
        error: Option<String>,
    ) {
        let mut inner = self.lock();
        let before = inner.latest.get(&(collector, lane)).and_then(|latest| latest.last_success);
        let last_success = if error.is_none() { Some(Instant::now()) } else { before };
        inner.latest.insert((collector, lane), LatestRun { last_success, interval, took, error });
    }

    /// Removes the latest run of a collector that does not run in this lane any more.
    pub fn remove(&self, collector: &'static str, lane: Lane) {
        self.lock().latest.remove(&(collector, lane));
    }

    /// Returns the latest run of a collector in each lane that it runs in.
    pub fn latest(&self, collector: &'static str) -> Vec<(Lane, LatestRun)> {
        let inner = self.lock();
        Lane::ALL
            .into_iter()
            .filter_map(|lane| Some((lane, inner.latest.get(&(collector, lane))?.clone())))
            .collect()
    }

    /// Returns when each collector last succeeded, without those that never did.
    pub fn successes(&self) -> Vec<(&'static str, Lane, Instant)> {
        let inner = self.lock();
        let latest = inner.latest.iter();
        latest
            .filter_map(|(&(collector, lane), latest)| Some((collector, lane, latest.last_success?)))
            .collect()
    }

    /// Records that each collector of the lane has run once, or that the database cannot be reached.
    pub fn mark_ready(&self, lane: Lane) {
        let mut inner = self.lock();
        if !inner.ready.contains(&lane) {
            inner.ready.push(lane);
        }
    }

    /// Whether both lanes are ready.
    pub fn is_ready(&self) -> bool {
        self.lock().ready.len() == Lane::ALL.len()
    }

    /// Sets the time by which the lane must report again.
    pub fn set_heartbeat_deadline(&self, lane: Lane, deadline: Instant) {
        self.lock().heartbeat_deadlines.insert(lane, deadline);
    }

    /// Whether no lane is past its heartbeat deadline. If one is, the process should be restarted.
    pub fn is_healthy(&self) -> bool {
        self.lock().heartbeat_deadlines.values().all(|deadline| Instant::now() < *deadline + GRACE)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}
