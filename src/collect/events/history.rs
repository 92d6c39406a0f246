//! What the feed asks the database: which transactions have ended, how far the history tables reach, and the
//! events in a slice of them.

use sqlx::Row;

use super::observed::{End, Instant, JOBS, Seen, TABLES};
use super::position::{Next, Span};
use super::rows::{self, Rows};
use crate::collect::collector::Query;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::Schema;

const ENDS: [&str; TABLES] = [include_str!("job_history_end.sql"), include_str!("dag_history_end.sql")];
const SLICES: [&str; TABLES] = [include_str!("job_slice.sql"), include_str!("dag_slice.sql")];

/// A time of the database in its microseconds.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
pub(super) fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
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
            let seen = match row.try_get::<Option<i64>, _>("seen")? {
                Some(_) => {
                    Some(Seen { recorded: row.try_get("seen_recorded")?, is_old: row.try_get("is_old")? })
                }
                None => None,
            };
            ends[table] = End {
                is_here: true,
                // An empty history ends before its first row.
                last: row.try_get::<Option<i64>, _>("last")?.unwrap_or(0),
                recorded: row.try_get("recorded")?,
                file: row.try_get("file")?,
                seen,
                is_written: row.try_get("is_written")?,
                is_disabled: row.try_get("is_disabled")?,
            };
        }
    }
    Ok(ends)
}

/// The rows of the window, at most so many, and the `history_id` of the last.
pub(super) async fn slice(
    run: &mut Run,
    query: &Query,
    schema: &Schema,
    next: &Next,
    most_rows: i64,
) -> Result<(i64, Rows), Failure> {
    let end = slice_end(run, schema, next, most_rows).await?;
    Ok((end, rows(run, query, schema, next, end).await?))
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

/// The rows of the window up to `end`.
async fn rows(run: &mut Run, query: &Query, schema: &Schema, next: &Next, end: i64) -> Result<Rows, Failure> {
    let [from, before] = next.transactions.map(|transaction| transaction.to_string());
    let statement = sqlx::query(query.statement(schema))
        .bind(next.span.after)
        .bind(end)
        .bind(from)
        .bind(before)
        .bind(schema.sendable_text());
    let explain =
        |failure: Failure| Failure { message: format!("{}: {}", query.sql.name, failure.message), ..failure };
    let found = run.fetch_all(statement).await.map_err(explain)?;
    if next.table == JOBS { rows::jobs(&found) } else { rows::dags(&found) }.map_err(explain)
}
