//! The numbers that `top` shows: the latest rows of each query. `feed` fetches them and `draw` draws them.

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::queries::{CompletedJobs, QueueCounts, ReadyJobs, RunningJob, StuckJob, TopQuery};
use crate::terminal::columns::Rows;

#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) database: String,
    /// The database's clock at the latest run.
    pub(super) instant: String,
    pub(super) refreshed: Option<Instant>,
    pub(super) queues: Latest<QueueCounts>,
    pub(super) ready: Latest<ReadyJobs>,
    pub(super) stuck: Latest<StuckJob>,
    pub(super) running: Latest<RunningJob>,
    pub(super) completed: Latest<CompletedJobs>,
    /// Why the database cannot be reached, and when the next attempt is.
    pub(super) trouble: Option<(String, Instant)>,
}

/// The latest rows of a query.
#[derive(Debug, Clone)]
pub(super) struct Latest<R> {
    pub(super) rows: Vec<R>,
    pub(super) status: Status,
}

/// When the latest rows were read, and why there are none newer.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    pub(super) taken: Option<Instant>,
    pub(super) failure: Option<String>,
}

impl<R> Default for Latest<R> {
    fn default() -> Self {
        Latest { rows: Vec::new(), status: Status::default() }
    }
}

impl Numbers {
    pub(super) fn status(&mut self, query: TopQuery) -> &mut Status {
        match query {
            TopQuery::Queues => &mut self.queues.status,
            TopQuery::Ready => &mut self.ready.status,
            TopQuery::Stuck => &mut self.stuck.status,
            TopQuery::Running => &mut self.running.status,
            TopQuery::Completed => &mut self.completed.status,
        }
    }

    /// Takes the rows of a query. If a row cannot be decoded, the rows before stay, and the status has the reason.
    pub(super) fn store(&mut self, query: TopQuery, rows: &Rows) {
        match query {
            TopQuery::Queues => self.queues.store(query, rows),
            TopQuery::Ready => self.ready.store(query, rows),
            TopQuery::Stuck => self.stuck.store(query, rows),
            TopQuery::Running => self.running.store(query, rows),
            TopQuery::Completed => self.completed.store(query, rows),
        }
    }
}

impl<R: DeserializeOwned> Latest<R> {
    fn store(&mut self, query: TopQuery, rows: &Rows) {
        match query.listing().decode(&rows.rows) {
            Ok(rows) => {
                let status = Status { taken: Some(Instant::now()), failure: None };
                *self = Latest { rows, status };
            }
            Err(failure) => self.status.failure = Some(failure.message),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rows(values: &Value) -> Rows {
        Rows { rows: vec![values.as_array().unwrap().clone()], more: false }
    }

    #[test]
    fn row_with_invalid_count_is_rejected_and_rows_before_stay() {
        for (query, good) in [
            (TopQuery::Queues, json!(["extract", 1, 2, 3, 4])),
            (TopQuery::Ready, json!(["extract", 7])),
            (TopQuery::Completed, json!(["extract", 0, 7])),
        ] {
            let mut numbers = Numbers::default();
            numbers.store(query, &rows(&good));
            assert!(numbers.status(query).taken.is_some(), "{:?}", numbers.status(query));
            assert_eq!(numbers.status(query).failure, None);
            for place in 0..good.as_array().unwrap().len() {
                for bad in [json!(null), json!(-1), json!(0.5), json!(true)] {
                    let mut values = good.clone();
                    values[place] = bad.clone();
                    numbers.store(query, &rows(&values));
                    let failure = numbers.status(query).failure.take();
                    assert!(failure.is_some_and(|why| why.contains(&bad.to_string())), "{query:?}: {bad}");
                }
            }
            let left = numbers.queues.rows.len() + numbers.ready.rows.len() + numbers.completed.rows.len();
            assert_eq!(left, 1, "{query:?}");
        }
    }
}
