//! The job states of a database, and which of them are finished.

use std::collections::BTreeSet;

use super::Schema;

/// The states from which a job can still change. Every shape has them. All other states are finished.
pub const UNFINISHED_STATES: [&str; 3] = ["created", "retry", "active"];

/// The finished states that Marie documents. For databases in which the state is text.
const FINISHED_STATES: [&str; 5] = ["completed", "expired", "cancelled", "failed", "skipped"];

impl Schema {
    /// Returns whether a job can have any state, because the column is text.
    pub fn takes_any_state(&self) -> bool {
        self.states.is_empty()
    }

    /// Returns the states that jobs can have: those of the enum in its order, or all that Marie documents.
    pub fn states(&self) -> Vec<String> {
        if self.states.is_empty() {
            UNFINISHED_STATES.iter().chain(&FINISHED_STATES).map(ToString::to_string).collect()
        } else {
            self.states.clone()
        }
    }

    /// Returns the finished states that jobs can have, in the same order.
    pub fn finished_states(&self) -> Vec<String> {
        let mut states = self.states();
        states.retain(|state| !UNFINISHED_STATES.contains(&state.as_str()));
        states
    }

    /// Returns the states that this exporter does not know. It counts them as finished.
    pub fn unknown_states(&self) -> BTreeSet<&str> {
        self.states
            .iter()
            .map(String::as_str)
            .filter(|state| !UNFINISHED_STATES.contains(state) && !FINISHED_STATES.contains(state))
            .collect()
    }
}
