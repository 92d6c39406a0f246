//! The states of jobs that a database knows.

use std::collections::BTreeSet;

use super::Schema;

/// The states in which a job can still move; every shape has them. All others are finished.
pub const UNFINISHED_STATES: [&str; 3] = ["created", "retry", "active"];

/// The finished states that Marie documents, for databases that keep the state as text.
const FINISHED_STATES: [&str; 5] = ["completed", "expired", "cancelled", "failed", "skipped"];

impl Schema {
    /// Whether a job can be in any state, because it is kept as text.
    pub fn takes_any_state(&self) -> bool {
        self.states.is_empty()
    }

    /// The states that jobs can have here: those of the enum in its own order, or all that Marie documents.
    pub fn states(&self) -> Vec<String> {
        if self.states.is_empty() {
            UNFINISHED_STATES.iter().chain(&FINISHED_STATES).map(ToString::to_string).collect()
        } else {
            self.states.clone()
        }
    }

    /// The finished states that this database knows, in its own order.
    pub fn finished_states(&self) -> Vec<String> {
        let mut states = self.states();
        states.retain(|state| !UNFINISHED_STATES.contains(&state.as_str()));
        states
    }

    /// State labels that this exporter has never heard of: it counts them as finished.
    pub fn unknown_states(&self) -> BTreeSet<&str> {
        self.states
            .iter()
            .map(String::as_str)
            .filter(|state| !UNFINISHED_STATES.contains(state) && !FINISHED_STATES.contains(state))
            .collect()
    }
}
