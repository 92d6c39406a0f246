//! What the landing page and the health routes know of the runs: for each collector and lane its latest run,
//! and for each lane whether it has been round once and when it promised to be heard of again.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::collect::availability::Availability;
use crate::collect::collector::Lane;

/// How long after its own promise a lane counts as stuck.
const GRACE: Duration = Duration::from_mins(1);

/// The latest run of a collector in a lane.
#[derive(Debug, Clone)]
pub struct LatestRun {
    /// By the clock that nobody sets.
    pub last_success: Option<Instant>,
    pub interval: Duration,
    pub took: Duration,
    /// Why the latest run failed, if it did.
    pub error: Option<String>,
}

#[derive(Debug, Default)]
pub struct RunStatus(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    availability: BTreeMap<&'static str, Availability>,
    latest: BTreeMap<(&'static str, Lane), LatestRun>,
    been_round: Vec<Lane>,
    promised: BTreeMap<Lane, Instant>,
}

impl RunStatus {
    /// Notes how a collector stands; returns how it stood before.
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

    /// Notes a run; `error` where it failed.
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

    pub fn forget(&self, collector: &'static str, lane: Lane) {
        self.lock().latest.remove(&(collector, lane));
    }

    pub fn latest(&self, collector: &'static str) -> Vec<(Lane, LatestRun)> {
        let inner = self.lock();
        Lane::ALL
            .into_iter()
            .filter_map(|lane| Some((lane, inner.latest.get(&(collector, lane))?.clone())))
            .collect()
    }

    /// When each collector last succeeded, where it did.
    pub fn successes(&self) -> Vec<(&'static str, Lane, Instant)> {
        let inner = self.lock();
        let latest = inner.latest.iter();
        latest
            .filter_map(|(&(collector, lane), latest)| Some((collector, lane, latest.last_success?)))
            .collect()
    }

    /// Every collector of the lane has run or failed once.
    pub fn mark_ready(&self, lane: Lane) {
        let mut inner = self.lock();
        if !inner.been_round.contains(&lane) {
            inner.been_round.push(lane);
        }
    }

    pub fn is_ready(&self) -> bool {
        self.lock().been_round.len() == Lane::ALL.len()
    }

    /// The lane will be heard of by then.
    pub fn set_heartbeat_deadline(&self, lane: Lane, until: Instant) {
        self.lock().promised.insert(lane, until);
    }

    /// Whether every lane keeps its promises: false means that the process should be restarted.
    pub fn is_healthy(&self) -> bool {
        self.lock().promised.values().all(|until| Instant::now() < *until + GRACE)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }
}
