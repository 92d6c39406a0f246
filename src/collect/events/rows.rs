//! Decodes the rows of `job_events.sql` and `dag_events.sql`. Their arrays have one element for each event, which becomes
//! an [`Event`]. Values that cannot be decoded are errors.

use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{Postgres, Row};

use crate::postgres::{Failure, Reason};

/// Row of a history that is an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Id of the job or DAG.
    pub(super) id: Uuid,
    pub(super) history_id: i64,
    /// `history_created_on` in microseconds.
    pub(super) recorded: i64,
    /// Equal for all rows of a slice that one transaction wrote.
    pub(super) transaction: i32,
    /// Queue of the job, or planner of the DAG.
    pub(super) owner: String,
    pub(super) state: String,
    pub(super) values: Values,
}

/// Values that an event adds to the totals. Durations are in microseconds, and negative if clocks disagree.
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

    /// Returns the change of the job that the event is.
    pub(super) fn to_change(&self) -> Change {
        let finished = (!self.is_creation()).then_some(self.recorded);
        Change { id: self.id, history_id: self.history_id, finished }
    }

    /// Returns whether one transaction wrote both rows, which are then one event.
    pub(super) fn is_same_change(&self, other: &Event) -> bool {
        let key = |event: &Event| (event.id, event.recorded, event.is_creation());
        key(self) == key(other)
    }
}

/// Row of `job_history` after which a job is finished or unfinished. It may be an event or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) id: Uuid,
    pub(super) history_id: i64,
    /// When the finish was recorded. `None` for an unfinished job.
    pub(super) finished: Option<i64>,
}

/// Decoded rows of a slice.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) events: Vec<Event>,
    /// Rows of jobs that are no events.
    pub(super) changes: Vec<Change>,
}

/// Decodes the rows of `job_events.sql`.
pub(super) fn decode_jobs(rows: &[PgRow]) -> Result<Rows, Failure> {
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
        let events = ids.len();
        let recorded: Vec<i64> = array(row, "recorded", events)?;
        let transactions: Vec<i32> = array(row, "transactions", events)?;
        let retries: Vec<i64> = array(row, "retries", events)?;
        let waits: Vec<Option<i64>> = array(row, "waits", events)?;
        let runs: Vec<Option<i64>> = array(row, "runs", events)?;
        let turnarounds: Vec<Option<i64>> = array(row, "turnarounds", events)?;
        let missed_soft: Vec<Option<bool>> = array(row, "missed_soft", events)?;
        let missed_hard: Vec<Option<bool>> = array(row, "missed_hard", events)?;
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

/// Decodes the rows of `dag_events.sql`.
pub(super) fn decode_dags(rows: &[PgRow]) -> Result<Rows, Failure> {
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

/// Decodes an array that must have `events` elements.
fn array<'row, T>(row: &'row PgRow, column: &str, events: usize) -> Result<Vec<T>, Failure>
where
    Vec<T>: sqlx::Decode<'row, Postgres> + sqlx::Type<Postgres>,
{
    let array: Vec<T> = row.try_get(column)?;
    if array.len() == events {
        return Ok(array);
    }
    let message = format!("{column} has {} elements for {events} events", array.len());
    Err(Failure::new(Reason::Other, message))
}
