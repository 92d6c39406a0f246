//! Since when the owners of series are gone: queues that are no longer in the database, planners of which no DAG
//! finishes. Their series are dropped after a while, so that names that come and go do not pile up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// In seconds of the database's clock.
const QUEUE_KEPT: f64 = 3_600.0;

/// No table lists planners, so that one is gone which has had no finished DAG for this time.
const PLANNER_KEPT: f64 = 86_400.0;

/// Unix times on the database's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Presence {
    /// When each queue was missed first.
    gone: BTreeMap<String, f64>,
    /// When each planner's last DAG was counted.
    planners: BTreeMap<String, f64>,
}

impl Presence {
    /// Notes which of the queues with series are not in the database `now`, and returns those that are gone for good.
    pub(super) fn expired_queues<'names>(
        &mut self,
        missed: impl Iterator<Item = &'names String>,
        now: f64,
    ) -> Vec<String> {
        let since = |name: &String| self.gone.get(name).map_or(now, |since| since.min(now));
        self.gone = missed.map(|name| (name.clone(), since(name))).collect();
        expired(&self.gone, now - QUEUE_KEPT)
    }

    /// Notes the planners with series, and returns those that are gone for good.
    pub(super) fn expired_planners<'names>(
        &mut self,
        planners: impl Iterator<Item = &'names String>,
        now: f64,
    ) -> Vec<String> {
        let since = |name: &String| self.planners.get(name).map_or(now, |since| since.min(now));
        self.planners = planners.map(|name| (name.clone(), since(name))).collect();
        expired(&self.planners, now - PLANNER_KEPT)
    }

    /// Notes that the queue has events, in the database or not.
    pub(super) fn queue_is_here(&mut self, queue: &str) {
        self.gone.remove(queue);
    }

    /// Notes that a DAG of the planner finished.
    pub(super) fn planner_is_here(&mut self, planner: &str, now: f64) {
        self.planners.insert(planner.to_owned(), now);
    }
}

fn expired(since: &BTreeMap<String, f64>, before: f64) -> Vec<String> {
    since.iter().filter(|(_, since)| **since <= before).map(|(name, _)| name.clone()).collect()
}
