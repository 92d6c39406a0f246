//! Assigns label values to the queues, planners and states of events. A series keeps its label, because a series that
//! disappears looks like a reset. A new queue gets a free label, or replaces a queue that is no longer in the database.

use std::collections::BTreeSet;

use super::presence::Presence;
use crate::collect::queue_labels::{LABEL as QUEUE, OTHER, QueueLabels, can_be_a_label};

/// Most planners with series of their own: the first ones that have events. Later ones are counted as `other`.
const MAX_PLANNERS: usize = 50;

/// Most states with series of their own. Clients may write any state if the column is text.
const MAX_STATES: usize = 50;

pub(super) const PLANNER: &str = "planner";

/// Label values of one run.
pub(super) struct Labels {
    queues: QueueLabels,
    limit: usize,
    own_queues: BTreeSet<String>,
    /// Those of `own_queues` that are not in the database.
    gone: BTreeSet<String>,
    own_planners: BTreeSet<String>,
    own_states: BTreeSet<String>,
    /// Queues and planners whose series are to be dropped, by label.
    evicted_queues: BTreeSet<String>,
    evicted_planners: BTreeSet<String>,
    /// Queues and planners with events in this run.
    active_queues: BTreeSet<String>,
    active_planners: BTreeSet<String>,
}

impl Labels {
    /// Returns the labels that have series, without those of queues and planners that have been gone too long at `now`.
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
        // A restart with another --queues.exclude can exclude queues that have series.
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
            active_queues: BTreeSet::new(),
            active_planners: BTreeSet::new(),
        }
    }

    /// Returns the label of a queue and notes that it has events. `None` if the queue is not selected.
    pub(super) fn active_queue_label(&mut self, name: &str) -> Option<String> {
        let label = self.queue_label(name);
        if label.as_deref() == Some(name) && !self.active_queues.contains(name) {
            self.active_queues.insert(name.to_owned());
            // A queue with events must not lose its label to another one.
            self.gone.remove(name);
        }
        label
    }

    /// Returns the label of a queue. `None` if the queue is not selected.
    pub(super) fn queue_label(&mut self, name: &str) -> Option<String> {
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
        // A queue that returns in the run that evicted it keeps its counts.
        self.evicted_queues.remove(name);
        Some(name.to_owned())
    }

    /// Returns the label of a planner and notes that it has events.
    pub(super) fn active_planner_label(&mut self, name: &str) -> String {
        let is_own = self.own_planners.contains(name);
        if !is_own && (self.own_planners.len() >= MAX_PLANNERS || !can_be_a_label(name)) {
            return OTHER.to_owned();
        }
        if !is_own {
            self.own_planners.insert(name.to_owned());
            self.evicted_planners.remove(name);
        }
        if !self.active_planners.contains(name) {
            self.active_planners.insert(name.to_owned());
        }
        name.to_owned()
    }

    /// Returns the label of a state.
    pub(super) fn state_label(&mut self, state: String) -> String {
        if self.own_states.contains(&state) {
            return state;
        }
        if self.own_states.len() >= MAX_STATES || !can_be_a_label(&state) {
            return OTHER.to_owned();
        }
        self.own_states.insert(state.clone());
        state
    }

    /// Notes the queues and planners that had events, at the end of a run.
    pub(super) fn note_presence(&self, presence: &mut Presence, now: f64) {
        for queue in &self.active_queues {
            presence.note_queue(queue);
        }
        for planner in &self.active_planners {
            presence.note_planner(planner, now);
        }
    }

    /// Returns whether the series of this queue or planner must be dropped.
    pub(super) fn is_evicted(&self, label: &str, value: &str) -> bool {
        match label {
            QUEUE => self.evicted_queues.contains(value),
            PLANNER => self.evicted_planners.contains(value),
            _ => false,
        }
    }
}
