//! Counts of jobs by queue and state, for plans, results and the log.

use std::collections::BTreeMap;

use crate::postgres::{Failure, Reason};

/// Jobs of one queue in one state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct JobCount {
    pub(super) jobs: u64,
    /// Earliest and latest completion as text whose order is that of time. `None` if it is not a valid date.
    pub(super) oldest: Option<String>,
    pub(super) newest: Option<String>,
}

/// Counts of jobs by queue and state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<(String, String), JobCount>);

impl Tally {
    /// Adds jobs of one queue and state.
    pub(super) fn add(&mut self, queue: String, state: String, added: JobCount) {
        let count = self.0.entry((queue, state)).or_default();
        count.jobs += added.jobs;
        count.oldest = [count.oldest.take(), added.oldest].into_iter().flatten().min();
        count.newest = [count.newest.take(), added.newest].into_iter().flatten().max();
    }

    /// Adds all counts of another tally.
    pub(super) fn merge(&mut self, other: Tally) {
        for ((queue, state), count) in other.0 {
            self.add(queue, state, count);
        }
    }

    /// Returns the number of all jobs.
    pub(super) fn jobs(&self) -> u64 {
        self.0.values().map(|count| count.jobs).sum()
    }

    /// Returns queue, state and count, ordered by queue and state.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &JobCount)> {
        self.0.iter().map(|((queue, state), count)| (queue.as_str(), state.as_str(), count))
    }
}

/// Converts a count that a query has returned.
///
/// # Errors
/// The count is negative.
pub(super) fn to_count(column: &str, value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|error| Failure::new(Reason::Other, format!("{column}: {value}: {error}")))
}
