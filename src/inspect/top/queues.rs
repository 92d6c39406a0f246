//! The rows of `top`'s pane of queues, put together from the rows of three queries.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::numbers::Numbers;

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) created: u64,
    pub(super) retry: u64,
    pub(super) ready: u64,
    pub(super) active: u64,
    pub(super) stuck: u64,
    /// In the last hour.
    pub(super) completed: u64,
}

/// Returns the queues: those with stuck jobs first, then those with most unfinished jobs.
pub(super) fn queues(numbers: &Numbers) -> Vec<Queue> {
    let mut queues: BTreeMap<&str, Queue> = BTreeMap::new();
    for row in &numbers.queues.rows {
        let queue = queues.entry(&row.queue).or_default();
        (queue.created, queue.retry) = (row.created, row.retry);
        (queue.active, queue.stuck) = (row.active, row.stuck);
    }
    for row in &numbers.ready.rows {
        queues.entry(&row.queue).or_default().ready = row.ready;
    }
    for row in numbers.completed.rows.iter().filter(|row| row.hours_ago == 0) {
        queues.entry(&row.queue).or_default().completed = row.jobs;
    }
    let mut queues: Vec<Queue> =
        queues.into_iter().map(|(name, queue)| Queue { name: name.to_owned(), ..queue }).collect();
    queues.sort_by_key(|queue| {
        Reverse((queue.stuck, queue.created + queue.retry + queue.active, queue.completed))
    });
    queues
}
