//! Under which label values a poll counts. A series that was counted once keeps its label, or it would seem to be
//! reset; new queues take free room, or that of a queue that is gone.

use std::collections::BTreeSet;

use super::presence::Presence;
use crate::collect::queue_labels::{LABEL as QUEUE, OTHER, QueueLabels, can_be_a_label};

/// Planners with series of their own. Which of them are busy is not known beforehand, and a series once counted
/// can go nowhere, so they are the first.
const PLANNERS: usize = 50;

/// States with series of their own, likewise: where a job's state is text, clients may write any.
const STATES: usize = 50;

pub(super) const PLANNER: &str = "planner";

pub(super) struct Labels {
    queues: QueueLabels,
    limit: usize,
    own_queues: BTreeSet<String>,
    /// Those of them that are not in the database.
    gone: BTreeSet<String>,
    own_planners: BTreeSet<String>,
    own_states: BTreeSet<String>,
    /// Queues and planners whose series are to be dropped, by label.
    evicted_queues: BTreeSet<String>,
    evicted_planners: BTreeSet<String>,
    /// Queues and planners with events in this poll.
    busy_queues: BTreeSet<String>,
    busy_planners: BTreeSet<String>,
}

impl Labels {
    /// Returns the labels that have series, without those of queues and planners that were gone for long at `now`.
    /// `values_of` returns the values that a label has in the totals.
    pub(super) fn new(
        values_of: &dyn Fn(&str) -> BTreeSet<String>,
        presence: &mut Presence,
        queues: &QueueLabels,
        limit: usize,
        now: f64,
    ) -> Self {
        let own = |label| {
            let mut values = values_of(label);
            values.remove(OTHER);
            values
        };
        let (own_queues, own_planners) = (own(QUEUE), own(PLANNER));
        let is_gone =
            |queue: &&String| queues.are_all_known() && queues.known().binary_search(*queue).is_err();
        let gone: BTreeSet<String> = own_queues.iter().filter(is_gone).cloned().collect();
        // As after a restart with another --queues.exclude.
        let excluded = own_queues.iter().filter(|queue| queues.label(queue).is_none()).cloned();
        let mut evicted_queues: BTreeSet<String> = excluded.collect();
        evicted_queues.extend(presence.expired_queues(gone.iter(), now));
        let evicted_planners: BTreeSet<String> =
            presence.expired_planners(own_planners.iter(), now).into_iter().collect();
        Labels {
            queues: queues.clone(),
            limit,
            own_queues: own_queues.difference(&evicted_queues).cloned().collect(),
            gone: gone.difference(&evicted_queues).cloned().collect(),
            own_planners: own_planners.difference(&evicted_planners).cloned().collect(),
            own_states: own("state"),
            evicted_queues,
            evicted_planners,
            busy_queues: BTreeSet::new(),
            busy_planners: BTreeSet::new(),
        }
    }

    /// Returns the label of a queue with events. `None` if the queue is not selected.
    pub(super) fn busy_queue(&mut self, name: &str) -> Option<String> {
        let label = self.queue(name);
        if label.as_deref() == Some(name) && !self.busy_queues.contains(name) {
            self.busy_queues.insert(name.to_owned());
            // It must not make room for another one now.
            self.gone.remove(name);
        }
        label
    }

    /// Returns the label of a queue. `None` if the queue is not selected.
    pub(super) fn queue(&mut self, name: &str) -> Option<String> {
        self.queues.label(name)?;
        if self.own_queues.contains(name) {
            return Some(name.to_owned());
        }
        self.queues.assign(name);
        if self.queues.label(name)? != name {
            return Some(OTHER.to_owned());
        }
        if self.own_queues.len() >= self.limit {
            let Some(gone) = self.gone.pop_first() else { return Some(OTHER.to_owned()) };
            self.own_queues.remove(&gone);
            self.evicted_queues.insert(gone);
        }
        self.own_queues.insert(name.to_owned());
        // A queue that comes back in the poll that evicted it keeps its counts.
        self.evicted_queues.remove(name);
        Some(name.to_owned())
    }

    /// The label of a planner with events.
    pub(super) fn busy_planner(&mut self, name: &str) -> String {
        let is_own = self.own_planners.contains(name);
        if !is_own && (self.own_planners.len() >= PLANNERS || !can_be_a_label(name)) {
            return OTHER.to_owned();
        }
        if !is_own {
            self.own_planners.insert(name.to_owned());
            self.evicted_planners.remove(name);
        }
        if !self.busy_planners.contains(name) {
            self.busy_planners.insert(name.to_owned());
        }
        name.to_owned()
    }

    /// The label of a state with events.
    pub(super) fn state(&mut self, state: String) -> String {
        if self.own_states.contains(&state) {
            return state;
        }
        if self.own_states.len() >= STATES || !can_be_a_label(&state) {
            return OTHER.to_owned();
        }
        self.own_states.insert(state.clone());
        state
    }

    /// Notes which owners had events, at the end of a poll.
    pub(super) fn note_presence(&self, presence: &mut Presence, now: f64) {
        for queue in &self.busy_queues {
            presence.queue_is_here(queue);
        }
        for planner in &self.busy_planners {
            presence.planner_is_here(planner, now);
        }
    }

    pub(super) fn is_evicted(&self, label: &str, value: &str) -> bool {
        match label {
            QUEUE => self.evicted_queues.contains(value),
            PLANNER => self.evicted_planners.contains(value),
            _ => false,
        }
    }
}
