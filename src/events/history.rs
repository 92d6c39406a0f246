//! What the feed asks the database: which transactions have ended, how far the history tables reach, and the
//! events in a slice of them.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::bounds::{Bounds, negated};
use super::position::{Next, Span};
use crate::collector::Query;
use crate::database::{Failure, Reason, Run};
use crate::schema::Schema;

/// `job_history` and `dag_history`, in this order wherever both are meant.
pub(super) const TABLES: usize = 2;
pub(super) const NAMES: [&str; TABLES] = ["job_history", "dag_history"];
const JOBS: usize = 0;

const ENDS: [&str; TABLES] = [include_str!("job_history_end.sql"), include_str!("dag_history_end.sql")];
const SLICES: [&str; TABLES] = [include_str!("job_slice.sql"), include_str!("dag_slice.sql")];

/// The snapshot of a run; see `instant.sql`.
#[derive(Debug, Clone)]
pub(super) struct Instant {
    pub(super) horizon: u64,
    pub(super) ceiling: u64,
    pub(super) at: f64,
    pub(super) in_recovery: bool,
    pub(super) system_identifier: String,
    pub(super) timeline: i64,
    pub(super) database_oid: i64,
}

/// A history table's end; see `job_history_end.sql`. All zero where the table is not there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct End {
    pub(super) last: i64,
    /// Another one after TRUNCATE and VACUUM FULL.
    pub(super) file: i64,
    pub(super) is_kept: bool,
    pub(super) is_written: bool,
    pub(super) is_disabled: bool,
}

/// Observations of one measure; see `job_events.sql`.
#[derive(Debug)]
pub(super) struct Observed {
    /// The queue, or the DAG's planner.
    pub(super) owner: String,
    pub(super) state: String,
    pub(super) measure: String,
    /// Bucket and number of observations in it.
    pub(super) counts: Vec<(usize, u64)>,
    pub(super) total: u64,
    pub(super) clamped: u64,
}

pub(super) async fn instant(run: &mut Run) -> Result<Instant, Failure> {
    let statement = sqlx::query(include_str!("instant.sql"));
    let row = run.fetch_one(statement).await?;
    let transaction = |column| -> Result<u64, Failure> {
        let text: String = row.try_get(column)?;
        text.parse().map_err(|error| Failure::new(Reason::Other, format!("instant.sql: {column}: {error}")))
    };
    Ok(Instant {
        horizon: transaction("horizon")?,
        ceiling: transaction("ceiling")?,
        at: row.try_get("at")?,
        in_recovery: row.try_get("in_recovery")?,
        system_identifier: row.try_get("system_identifier")?,
        timeline: row.try_get("timeline")?,
        database_oid: row.try_get("database_oid")?,
    })
}

/// Where the tables end that `queries`, one for each, can read here. `seen` is the last row of each that was seen
/// before, by transactions below `ceiling`.
pub(super) async fn ends(
    run: &mut Run,
    queries: &[Query; TABLES],
    schema: &Schema,
    seen: [i64; TABLES],
    ceiling: u64,
) -> Result<[End; TABLES], Failure> {
    let ceiling = ceiling.to_string();
    let mut ends = [End::default(); TABLES];
    for table in 0..TABLES {
        if queries[table].lack(schema).is_none() {
            let statement = sqlx::query(schema.name.statement(ENDS[table])).bind(seen[table]).bind(&ceiling);
            let row = run.fetch_one(statement).await?;
            ends[table] = End {
                last: row.try_get::<Option<i64>, _>("last")?.unwrap_or_default(),
                file: row.try_get("file")?,
                is_kept: row.try_get("is_kept")?,
                is_written: row.try_get("is_written")?,
                is_disabled: row.try_get("is_disabled")?,
            };
        }
    }
    Ok(ends)
}

/// The events of the window in the next rows, at most so many, and the `history_id` of the last.
pub(super) async fn slice(
    run: &mut Run,
    query: &Query,
    schema: &Schema,
    next: &Next,
    most_rows: i64,
    bounds: &Bounds,
) -> Result<(i64, Vec<Observed>), Failure> {
    let end = slice_end(run, schema, next, most_rows).await?;
    Ok((end, events(run, query, schema, next, end, bounds).await?))
}

/// Where a slice of at most `rows` rows ends.
async fn slice_end(run: &mut Run, schema: &Schema, next: &Next, rows: i64) -> Result<i64, Failure> {
    let Span { after, end } = next.span;
    // So few ids cannot be more rows.
    if end.saturating_sub(after) <= rows {
        return Ok(end);
    }
    let statement = schema.name.statement(SLICES[next.table]);
    let row = run.fetch_one(sqlx::query(statement).bind(after).bind(end).bind(rows)).await?;
    Ok(row.try_get("slice_end")?)
}

/// The events of the window in the rows up to `end`.
async fn events(
    run: &mut Run,
    query: &Query,
    schema: &Schema,
    next: &Next,
    end: i64,
    bounds: &Bounds,
) -> Result<Vec<Observed>, Failure> {
    let [from, before] = next.transactions.map(|transaction| transaction.to_string());
    let statement =
        sqlx::query(query.statement(schema)).bind(next.span.after).bind(end).bind(from).bind(before);
    let statement = if next.table == JOBS {
        statement.bind(negated(&bounds.wait)).bind(negated(&bounds.run)).bind(negated(&bounds.retries))
    } else {
        statement.bind(negated(&bounds.dag))
    };
    let rows = run.fetch_all(statement).await.map_err(|failure| Failure {
        message: format!("{}: {}", query.sql.name, failure.message),
        ..failure
    })?;
    rows.iter().map(|row| Ok(Observed::read(row)?)).collect()
}

impl Observed {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let buckets: Vec<i64> = row.try_get("buckets")?;
        let observations: Vec<i64> = row.try_get("observations")?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        let counts = buckets.into_iter().zip(observations);
        Ok(Observed {
            owner: row.try_get("owner")?,
            state: row.try_get("state")?,
            measure: row.try_get("measure")?,
            counts: counts
                .map(|(bucket, count)| (usize::try_from(bucket).unwrap_or_default(), unsigned(count)))
                .collect(),
            total: unsigned(row.try_get("total")?),
            clamped: unsigned(row.try_get("clamped")?),
        })
    }

    /// How many there are in all.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}
