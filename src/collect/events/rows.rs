//! The events of a slice as the database returns them: arrays, one element for each event, decoded into one value
//! for each event. What does not decode is an error.

use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{Postgres, Row};

use crate::postgres::{Failure, Reason};

/// A row of a history that is an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// The job or the DAG.
    pub(super) id: Uuid,
    pub(super) history_id: i64,
    /// `history_created_on` in microseconds.
    pub(super) recorded: i64,
    /// Equal for all rows of a slice that one transaction wrote.
    pub(super) transaction: i32,
    /// The queue, or the DAG's planner.
    pub(super) owner: String,
    pub(super) state: String,
    pub(super) values: Values,
}

/// What an event adds to the totals. Times in microseconds; negative where clocks disagree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    JobCreated,
    JobFinished {
        retries: i64,
        wait: Option<i64>,
        run: Option<i64>,
        turnaround: Option<i64>,
        missed_soft: Option<bool>,
        missed_hard: Option<bool>,
    },
    DagFinished {
        run: i64,
    },
}

impl Event {
    pub(super) fn is_creation(&self) -> bool {
        matches!(self.values, Values::JobCreated)
    }

    /// What it says of a job.
    pub(super) fn change(&self) -> Change {
        let finished = (!self.is_creation()).then_some(self.recorded);
        Change { id: self.id, history_id: self.history_id, finished }
    }

    /// Whether one transaction wrote both, so that they are one event.
    pub(super) fn is_same_change(&self, other: &Event) -> bool {
        let key = |event: &Event| (event.id, event.recorded, event.is_creation());
        key(self) == key(other)
    }
}

/// A row of `job_history` that says whether a job is finished, an event or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) id: Uuid,
    pub(super) history_id: i64,
    /// When the finish was recorded. `None` for an unfinished job.
    pub(super) finished: Option<i64>,
}

/// What a slice holds.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) events: Vec<Event>,
    /// Those of jobs that are no events.
    pub(super) changes: Vec<Change>,
}

/// The rows of `job_events.sql`.
pub(super) fn jobs(rows: &[PgRow]) -> Result<Rows, Failure> {
    let mut decoded = Rows::default();
    for row in rows {
        let ids: Vec<Uuid> = row.try_get("ids")?;
        let history_ids: Vec<i64> = array(row, "history_ids", ids.len())?;
        let owner: Option<String> = row.try_get("queue")?;
        let Some(owner) = owner else {
            let finished: Vec<Option<i64>> = array(row, "recorded", ids.len())?;
            decoded.changes.extend(ids.into_iter().enumerate().map(|(place, id)| Change {
                id,
                history_id: history_ids[place],
                finished: finished[place],
            }));
            continue;
        };
        let state: String = row.try_get("state")?;
        let many = ids.len();
        let recorded: Vec<i64> = array(row, "recorded", many)?;
        let transactions: Vec<i32> = array(row, "transactions", many)?;
        let retries: Vec<i64> = array(row, "retries", many)?;
        let waits: Vec<Option<i64>> = array(row, "waits", many)?;
        let runs: Vec<Option<i64>> = array(row, "runs", many)?;
        let turnarounds: Vec<Option<i64>> = array(row, "turnarounds", many)?;
        let missed_soft: Vec<Option<bool>> = array(row, "missed_soft", many)?;
        let missed_hard: Vec<Option<bool>> = array(row, "missed_hard", many)?;
        let is_creation = state == "created";
        for (place, id) in ids.into_iter().enumerate() {
            let values = if is_creation {
                Values::JobCreated
            } else {
                Values::JobFinished {
                    retries: retries[place],
                    wait: waits[place],
                    run: runs[place],
                    turnaround: turnarounds[place],
                    missed_soft: missed_soft[place],
                    missed_hard: missed_hard[place],
                }
            };
            decoded.events.push(Event {
                id,
                history_id: history_ids[place],
                recorded: recorded[place],
                transaction: transactions[place],
                owner: owner.clone(),
                state: state.clone(),
                values,
            });
        }
    }
    Ok(decoded)
}

/// The rows of `dag_events.sql`.
pub(super) fn dags(rows: &[PgRow]) -> Result<Rows, Failure> {
    let mut decoded = Rows::default();
    for row in rows {
        let ids: Vec<Uuid> = row.try_get("ids")?;
        let owner: String = row.try_get("planner")?;
        let state: String = row.try_get("state")?;
        let history_ids: Vec<i64> = array(row, "history_ids", ids.len())?;
        let recorded: Vec<i64> = array(row, "recorded", ids.len())?;
        let transactions: Vec<i32> = array(row, "transactions", ids.len())?;
        let runs: Vec<i64> = array(row, "runs", ids.len())?;
        decoded.events.extend(ids.into_iter().enumerate().map(|(place, id)| Event {
            id,
            history_id: history_ids[place],
            recorded: recorded[place],
            transaction: transactions[place],
            owner: owner.clone(),
            state: state.clone(),
            values: Values::DagFinished { run: runs[place] },
        }));
    }
    Ok(decoded)
}

/// An array with an element for each event of its row.
fn array<'row, T>(row: &'row PgRow, column: &str, many: usize) -> Result<Vec<T>, Failure>
where
    Vec<T>: sqlx::Decode<'row, Postgres> + sqlx::Type<Postgres>,
{
    let array: Vec<T> = row.try_get(column)?;
    if array.len() == many {
        return Ok(array);
    }
    let message = format!("{column} has {} elements where there are {many} events", array.len());
    Err(Failure::new(Reason::Other, message))
}
