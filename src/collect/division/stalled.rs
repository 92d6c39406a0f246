//! Finds the stalled DAGs queue by queue, where one statement over all queues would take too many locks.
//!
//! A DAG's jobs can be in several queues, so what each group of queues tells of a DAG is put together here. The answer is
//! that of `dags_stalled.sql`, but for what changes from one group's transaction to the next.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::types::Uuid;
use sqlx::{Arguments, Row};

use super::{Parents, Stop, Transactions, slices};
use crate::collect::collector::declare::optional;
use crate::collect::collector::definition::WAITING_JOB;
use crate::collect::collector::{Context, Division, Query, SqlFile};
use crate::collect::pace::Pace;
use crate::postgres::{Failure, Reason};
use crate::schema::Need;

/// The most unfinished DAGs that are kept in memory, 16 bytes each.
const MOST_DAGS: i64 = 200_000;

const OF_JOBS: Query = Query {
    sql: SqlFile { name: "", text: "" },
    pace: Pace::Backlog,
    pass: None,
    wanted: |_| true,
    by_queue: &[],
    needs: &[],
    optional: &[],
    fallbacks: &[],
    definitions: &[],
    index: None,
    division: Division::StalledDags,
    arguments: |_| Ok(PgArguments::default()),
};

static WITH_WORK: Query = Query {
    sql: SqlFile { name: "dags_with_work.sql", text: include_str!("dags_with_work.sql") },
    needs: &[
        Need::Columns("dag", &["id", "state"]),
        Need::Columns("job", &["name", "dag_id", "state"]),
        Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_name", "depends_on_id"]),
    ],
    optional: &[optional!("job"."start_after": "timestamptz")],
    definitions: &[WAITING_JOB],
    ..OF_JOBS
};

static WITH_JOBS: Query = Query {
    sql: SqlFile { name: "dags_with_jobs.sql", text: include_str!("dags_with_jobs.sql") },
    needs: &[Need::Columns("job", &["dag_id", "state"])],
    ..OF_JOBS
};

/// Returns the rows that `dags_stalled.sql` would return.
pub(super) async fn fetch(
    transactions: &mut Transactions<'_>,
    context: &Context<'_>,
) -> Result<Vec<Vec<PgRow>>, Stop> {
    let mut stalled = unfinished(transactions, context).await?;
    for slice in slices(transactions, &WITH_WORK, Parents::Read).await? {
        for row in rows(transactions, &WITH_WORK, context, arguments(&slice.own)?, &slice.read).await? {
            if get(&row, "moves")? {
                stalled.remove(&get::<Uuid>(&row, "dag_id")?);
            }
        }
    }
    let ids: Vec<Uuid> = stalled.iter().copied().collect();
    let mut has_failed: BTreeMap<Uuid, bool> = BTreeMap::new();
    for slice in slices(transactions, &WITH_JOBS, Parents::Skip).await? {
        for row in rows(transactions, &WITH_JOBS, context, arguments(&ids)?, &slice.read).await? {
            *has_failed.entry(get(&row, "dag_id")?).or_default() |= get::<bool>(&row, "has_failed")?;
        }
    }
    let count =
        |verdict: Option<bool>| ids.iter().filter(|id| has_failed.get(id).copied() == verdict).count();
    let counts = [
        ("no_jobs", count(None)),
        ("failed_job", count(Some(true))),
        ("no_runnable_job", count(Some(false))),
    ];
    let (reasons, numbers): (Vec<&str>, Vec<i64>) =
        counts.iter().map(|(reason, number)| (*reason, i64::try_from(*number).unwrap_or(i64::MAX))).unzip();
    let statement = sqlx::query(include_str!("stalled_counts.sql")).bind(reasons).bind(numbers);
    let rows = transactions.run(async |run| run.fetch_all(statement).await).await?;
    Ok(vec![rows])
}

async fn unfinished(
    transactions: &mut Transactions<'_>,
    context: &Context<'_>,
) -> Result<BTreeSet<Uuid>, Stop> {
    let statement = context.schema.name.statement(include_str!("unfinished_dags.sql"));
    let statement = sqlx::query(statement).bind(MOST_DAGS + 1);
    let rows = transactions.run(async |run| run.fetch_all(statement).await).await?;
    if i64::try_from(rows.len()).is_ok_and(|count| count > MOST_DAGS) {
        let message =
            format!("dags_stalled.sql: more than {MOST_DAGS} unfinished DAGs, which are too many to look at");
        return Err(Stop::Failed(Failure::new(Reason::LockLimit, message)));
    }
    rows.iter().map(|row| get(row, "id")).collect()
}

async fn rows(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
    context: &Context<'_>,
    arguments: PgArguments,
    read: &[String],
) -> Result<Vec<PgRow>, Stop> {
    transactions
        .run_for_values(async |run| query.fetch_with(run, context.schema, arguments, read).await)
        .await
}

fn arguments<'q, T>(values: &'q [T]) -> Result<PgArguments, Stop>
where
    &'q [T]: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut arguments = PgArguments::default();
    let added = arguments.add(values);
    added.map_err(|error| Stop::Failed(Failure::new(Reason::Other, error.to_string())))?;
    Ok(arguments)
}

fn get<'r, T>(row: &'r PgRow, column: &str) -> Result<T, Stop>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(column).map_err(|error| Stop::Failed(error.into()))
}
