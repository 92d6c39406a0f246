//! How long a clean-up may take: what a benchmark has measured for jobs, and what foreign keys cost here.
//!
//! PostgreSQL looks for rows that refer to a DAG or a job each time that one is deleted. Such a look visits every
//! partition of `job`, and all of a table that has no index on its column. So it is measured, by the same look for an
//! id that does not exist.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::types::Uuid;

use super::references::References;
use super::writer::Writer;
use crate::postgres::Failure;
use crate::terminal::duration::seconds_in_units;
use crate::terminal::plural::counted;

/// Jobs a second that one batch after the other takes, pauses included: `cargo bench --bench archive` measured 5,600 on
/// two cores.
const PACE: f64 = 5_000.0;

/// A pause as long as the work follows each batch.
const WITH_PAUSES: f64 = 2.0;

/// Shortest pause between two batches.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Looks that are timed, after those for which PostgreSQL still makes a plan each time.
const LOOKS: usize = 15;
const FIRST_LOOKS: usize = 6;

/// What the foreign keys cost for each row that is deleted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ForeignKeys {
    dag: Duration,
    job: Duration,
}

impl ForeignKeys {
    /// Measures them, in the writer's transaction. None where they cannot be measured.
    ///
    /// # Errors
    /// Where the database is gone.
    pub(super) async fn measure(
        writer: &mut Writer,
        references: &References,
        deletes_dags: bool,
    ) -> Result<Option<Self>, Failure> {
        writer.set_savepoint().await?;
        if let Ok(measured) = measured(writer, references, deletes_dags).await {
            return Ok(Some(measured));
        }
        // A table that our role may not read, for example.
        writer.roll_back_to_savepoint().await?;
        Ok(None)
    }
}

async fn measured(
    writer: &mut Writer,
    references: &References,
    deletes_dags: bool,
) -> Result<ForeignKeys, Failure> {
    let round_trip = look(writer, "select $1::uuid").await?;
    let mut sum = ForeignKeys::default();
    let of_job = format!("select from {}.job where dag_id = $1", writer.schema.name.quoted());
    let mut looks: Vec<(String, bool)> = vec![(of_job, true)];
    looks.extend(references.looks());
    for (statement, is_for_dag) in looks.into_iter().filter(|(_, is_for_dag)| deletes_dags || !is_for_dag) {
        let took = look(writer, &statement).await?.saturating_sub(round_trip);
        *(if is_for_dag { &mut sum.dag } else { &mut sum.job }) += took;
    }
    Ok(sum)
}

/// The median time of a statement with an id that does not exist.
async fn look(writer: &mut Writer, statement: &str) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for _ in 0..FIRST_LOOKS + LOOKS {
        let statement = sqlx::query(AssertSqlSafe(statement.to_owned())).bind(Uuid::nil());
        let began = Instant::now();
        writer.fetch_all(statement).await?;
        times.push(began.elapsed());
    }
    let times = &mut times[FIRST_LOOKS..];
    times.sort_unstable();
    Ok(times[LOOKS / 2])
}

/// How long it may take to delete so many jobs and DAGs. Nothing of it is exact.
pub(super) fn duration(jobs: u64, dags: u64, batch: u32, keys: Option<ForeignKeys>) -> String {
    let batches = jobs.div_ceil(u64::from(batch));
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let [jobs, dags, pauses] = [jobs, dags, batches].map(|count| count as f64);
    let measured = keys.unwrap_or_default();
    let for_keys = WITH_PAUSES * (dags * measured.dag.as_secs_f64() + jobs * measured.job.as_secs_f64());
    let work = jobs / PACE + for_keys;
    let seconds = work.max(pauses * PAUSE.as_secs_f64()).ceil().max(1.0);
    let why = if keys.is_none() {
        ". What foreign keys add could not be measured"
    } else if for_keys > work / 2.0 {
        ", most of it for foreign keys that are checked for each row"
    } else {
        ""
    };
    let time = seconds_in_units(seconds);
    format!("It may take about {time} in {}{why}.", counted(batches, "batch"))
}
