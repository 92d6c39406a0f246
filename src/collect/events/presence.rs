//! Since when queues and planners with series are gone: queues that are not in the database, and planners without a
//! finished DAG. `labels` drops their series after a while, so that series of temporary names do not accumulate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Seconds for which the series of a queue that is gone are kept.
const QUEUE_KEPT: f64 = 3_600.0;

/// Seconds for which the series of a planner are kept after its last finished DAG. No table lists the planners.
const PLANNER_KEPT: f64 = 86_400.0;

/// Unix times on the database's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Presence {
    /// When each queue that is gone was first not in the database.
    gone: BTreeMap<String, f64>,
    /// When the last DAG of each planner was counted.
    planners: BTreeMap<String, f64>,
}

impl Presence {
    /// Notes the queues with series that are `missed` in the database, and returns those that have been gone too long.
    pub(super) fn expired_queues<'names>(
        &mut self,
        missed: impl Iterator<Item = &'names String>,
        now: f64,
    ) -> Vec<String> {
        let since = |name: &String| self.gone.get(name).map_or(now, |since| since.min(now));
        self.gone = missed.map(|name| (name.clone(), since(name))).collect();
        expired(&self.gone, now - QUEUE_KEPT)
    }

    /// Notes the planners with series, and returns those that have been gone too long.
    pub(super) fn expired_planners<'names>(
        &mut self,
        planners: impl Iterator<Item = &'names String>,
        now: f64,
    ) -> Vec<String> {
        let since = |name: &String| self.planners.get(name).map_or(now, |since| since.min(now));
        self.planners = planners.map(|name| (name.clone(), since(name))).collect();
        expired(&self.planners, now - PLANNER_KEPT)
    }

    /// Notes that the queue has events, so it is not gone, even if it is not in the database.
    pub(super) fn note_queue(&mut self, queue: &str) {
        self.gone.remove(queue);
    }

    /// Notes that a DAG of the planner finished.
    pub(super) fn note_planner(&mut self, planner: &str, now: f64) {
        self.planners.insert(planner.to_owned(), now);
    }
}

fn expired(since: &BTreeMap<String, f64>, before: f64) -> Vec<String> {
    since.iter().filter(|(_, since)| **since <= before).map(|(name, _)| name.clone()).collect()
}
