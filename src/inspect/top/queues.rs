//! The queues of `top`: what three queries say of each, in one row.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::numbers::Numbers;
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

/// The reason why the rows of a part cannot be shown, if any: a name that is no text or a count that is no number.
///
/// # Errors
/// That reason.
pub(super) fn check(part: Part, rows: &[Vec<Value>]) -> Result<(), String> {
    let counts: &[usize] = match part {
        Part::Queues => &[1, 2, 3, 4],
        Part::Ready => &[1],
        Part::Completed => &[1, 2],
        Part::Stuck | Part::Running => return Ok(()),
    };
    let file = part.listing().query.sql.name;
    for row in rows {
        if row.first().is_none_or(|name| !name.is_string()) {
            return Err(format!("{file}: a queue's name is no text"));
        }
        if let Some(place) = counts.iter().find(|place| row.get(**place).and_then(count).is_none()) {
            let name = part.listing().columns[*place].name;
            return Err(format!("{file}: {name} is no count: {}", row.get(*place).unwrap_or(&Value::Null)));
        }
    }
    Ok(())
}

/// Those that need someone first, then the busiest. Rows that [`check`] refuses are not here.
pub(super) fn of(numbers: &Numbers) -> Vec<(&str, Queue)> {
    let mut queues: BTreeMap<&str, Queue> = BTreeMap::new();
    for row in &numbers.part(Part::Queues).rows {
        if let [Value::String(name), counts @ ..] = row.as_slice()
            && let [Some(created), Some(retry), Some(active), Some(stuck)] =
                counts.iter().map(count).collect::<Vec<_>>()[..]
        {
            queues.insert(name, Queue { created, retry, active, stuck, ..Queue::default() });
        }
    }
    for row in &numbers.part(Part::Ready).rows {
        if let (Value::String(name), Some(ready)) = (&row[0], count(&row[1])) {
            queues.entry(name).or_default().ready = ready;
        }
    }
    for row in numbers.part(Part::Completed).rows.iter().filter(|row| row[1] == 0) {
        if let (Value::String(name), Some(completed)) = (&row[0], count(&row[2])) {
            queues.entry(name).or_default().completed = completed;
        }
    }
    let mut queues: Vec<_> = queues.into_iter().collect();
    queues.sort_by_key(|(_, queue)| {
        Reverse((queue.stuck, queue.created + queue.retry + queue.active, queue.completed))
    });
    queues
}

/// A number of jobs, unless the value is no such number.
pub(super) fn count(value: &Value) -> Option<u64> {
    value.as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn value_that_is_no_count_is_an_error() {
        let row = |values: Value| vec![values.as_array().expect("a list").clone()];
        for (part, good) in [
            (Part::Queues, json!(["extract", 1, 2, 3, 4])),
            (Part::Ready, json!(["extract", 7])),
            (Part::Completed, json!(["extract", 0, 7])),
        ] {
            assert_eq!(check(part, &row(good.clone())), Ok(()));
            for place in 0..good.as_array().map_or(0, Vec::len) {
                for bad in [json!(null), json!(-1), json!(0.5), json!(true)] {
                    let mut values = good.clone();
                    values[place] = bad.clone();
                    check(part, &row(values)).expect_err(&format!("{part:?}: {bad} at {place}"));
                }
            }
        }
    }
}
