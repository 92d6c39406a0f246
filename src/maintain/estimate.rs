//! Estimates how long a clean-up takes, from a benchmark's rate and from the measured cost of foreign keys.
//!
//! For each deleted job or DAG PostgreSQL looks for rows that refer to it. Such a lookup visits every partition of `job`, and
//! the whole table if the column has no index. Its cost is therefore measured, by the same lookup with an id that does not
//! exist.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::types::Uuid;

use super::batch_size::SHORTEST_PAUSE;
use super::foreign_keys::ForeignKeys;
use super::session::WriteSession;
use crate::postgres::Failure;
use crate::terminal::duration::seconds_in_units;
use crate::terminal::plural::counted;

/// Jobs per second, pauses included. `cargo bench --bench archive` measured 5,600 on two cores.
const JOBS_PER_SECOND: f64 = 5_000.0;

/// Factor for the pauses, because the pause after each batch is as long as the batch.
const PAUSE_FACTOR: f64 = 2.0;

/// Number of lookups that are timed.
const TIMED_LOOKUPS: usize = 15;

/// Number of lookups before those. PostgreSQL still plans each of them separately.
const WARM_UP_LOOKUPS: usize = 6;

/// Cost of the foreign keys for each deleted row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ForeignKeyCost {
    dag: Duration,
    job: Duration,
}

impl ForeignKeyCost {
    /// Measures the cost, in the open transaction. `None` if a lookup fails, for example because the role may not read a
    /// table.
    pub(super) async fn measure(
        session: &mut WriteSession,
        keys: &ForeignKeys,
        deletes_dags: bool,
    ) -> Result<Option<Self>, Failure> {
        session.set_savepoint().await?;
        if let Ok(cost) = measure_all(session, keys, deletes_dags).await {
            return Ok(Some(cost));
        }
        session.roll_back_to_savepoint().await?;
        Ok(None)
    }
}

async fn measure_all(
    session: &mut WriteSession,
    keys: &ForeignKeys,
    deletes_dags: bool,
) -> Result<ForeignKeyCost, Failure> {
    let round_trip = measure_lookup(session, "select $1::uuid").await?;
    let mut cost = ForeignKeyCost::default();
    let jobs_of_dag = format!("select from {}.job where dag_id = $1", session.schema.name.quoted());
    let mut lookups: Vec<(String, bool)> = vec![(jobs_of_dag, true)];
    lookups.extend(keys.lookups());
    for (statement, is_for_dag) in lookups.into_iter().filter(|(_, is_for_dag)| deletes_dags || !is_for_dag) {
        let took = measure_lookup(session, &statement).await?.saturating_sub(round_trip);
        *(if is_for_dag { &mut cost.dag } else { &mut cost.job }) += took;
    }
    Ok(cost)
}

/// Returns the median time of a statement with an id that does not exist.
async fn measure_lookup(session: &mut WriteSession, statement: &str) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for _ in 0..WARM_UP_LOOKUPS + TIMED_LOOKUPS {
        let statement = sqlx::query(AssertSqlSafe(statement.to_owned())).bind(Uuid::nil());
        let began = Instant::now();
        session.fetch_all(statement).await?;
        times.push(began.elapsed());
    }
    let times = &mut times[WARM_UP_LOOKUPS..];
    times.sort_unstable();
    Ok(times[TIMED_LOOKUPS / 2])
}

/// Returns a sentence with the time that a clean-up of so many jobs and DAGs may take.
pub(super) fn describe(jobs: u64, dags: u64, batch: u32, cost: Option<ForeignKeyCost>) -> String {
    let batches = jobs.div_ceil(u64::from(batch));
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let [jobs, dags, pauses] = [jobs, dags, batches].map(|count| count as f64);
    let measured = cost.unwrap_or_default();
    let for_keys = PAUSE_FACTOR * (dags * measured.dag.as_secs_f64() + jobs * measured.job.as_secs_f64());
    let work = jobs / JOBS_PER_SECOND + for_keys;
    let seconds = work.max(pauses * SHORTEST_PAUSE.as_secs_f64()).ceil().max(1.0);
    let remark = if cost.is_none() {
        ". What foreign keys add could not be measured"
    } else if for_keys > work / 2.0 {
        ", most of it for foreign keys that are checked for each row"
    } else {
        ""
    };
    let time = seconds_in_units(seconds);
    format!("It may take about {time} in {}{remark}.", counted(batches, "batch"))
}
