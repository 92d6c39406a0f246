//! The queues of `top`: what three queries say of each, in one row.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::feed::Numbers;
use super::panes::Part;

/// A queue's row, put together from the parts.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) created: u64,
    pub(super) retry: u64,
    pub(super) ready: u64,
    pub(super) active: u64,
    pub(super) stuck: u64,
    pub(super) completed: u64,
}

/// Those that need someone first, then the busiest.
pub(super) fn of(numbers: &Numbers) -> Vec<(&str, Queue)> {
    fn row_of<'a, 'b>(queues: &'b mut BTreeMap<&'a str, Queue>, row: &'a [Value]) -> &'b mut Queue {
        queues.entry(row[0].as_str().unwrap_or_default()).or_default()
    }
    let mut queues: BTreeMap<&str, Queue> = BTreeMap::new();
    for row in &numbers.part(Part::Queues).rows {
        let queue = row_of(&mut queues, row);
        [queue.created, queue.retry, queue.active, queue.stuck] =
            [1, 2, 3, 4].map(|place| count(&row[place]));
    }
    for row in &numbers.part(Part::Ready).rows {
        row_of(&mut queues, row).ready = count(&row[1]);
    }
    for row in numbers.part(Part::Completed).rows.iter().filter(|row| row[1] == 0) {
        row_of(&mut queues, row).completed = count(&row[2]);
    }
    let mut queues: Vec<_> = queues.into_iter().collect();
    queues.sort_by_key(|(_, queue)| {
        Reverse((queue.stuck, queue.created + queue.retry + queue.active, queue.completed))
    });
    queues
}

/// A number of jobs; none where it is no number.
pub(super) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
