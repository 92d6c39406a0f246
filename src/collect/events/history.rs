//! Reads the histories from the database: which transactions have ended, where the tables end, and the events of a
//! slice. `observed` holds the types of the first two, `rows` decodes the events.

use sqlx::Row;

use super::observed::{End, JOBS, SeenRow, ServerState, TABLES};
use super::position::{NextSpan, Span};
use super::rows::{self, Rows};
use crate::collect::collector::Query;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::Schema;

const ENDS: [&str; TABLES] = [include_str!("job_history_end.sql"), include_str!("dag_history_end.sql")];
const SLICES: [&str; TABLES] = [include_str!("job_slice.sql"), include_str!("dag_slice.sql")];

/// Converts a Unix time of the database to microseconds.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
pub(super) fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

/// Reads which transactions have ended, and the identity of the server.
pub(super) async fn read_server_state(run: &mut Run) -> Result<ServerState, Failure> {
    let statement = sqlx::query(include_str!("server_state.sql"));
    let row = run.fetch_one(statement).await?;
    let transaction = |column| -> Result<u64, Failure> {
        let text: String = row.try_get(column)?;
        text.parse()
            .map_err(|error| Failure::new(Reason::Other, format!("server_state.sql: {column}: {error}")))
    };
    Ok(ServerState {
        horizon: transaction("horizon")?,
        ceiling: transaction("ceiling")?,
        at: row.try_get("at")?,
        in_recovery: row.try_get("in_recovery")?,
        system_identifier: row.try_get("system_identifier")?,
        timeline: row.try_get("timeline")?,
        database_oid: row.try_get("database_oid")?,
    })
}

/// Reads the end of each table that its query in `queries` can read here.
///
/// `seen` is the `history_id` of the row of each table that the previous run saw last. A transaction below `ceiling`
/// wrote it.
pub(super) async fn read_ends(
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
                    Some(SeenRow { recorded: row.try_get("seen_recorded")?, is_old: row.try_get("is_old")? })
                }
                None => None,
            };
            ends[table] = End {
                is_readable: true,
                // All ids of rows are above 0.
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

/// Reads at most `max_rows` rows of the span. Returns them with the last `history_id` that the slice covers.
pub(super) async fn read_slice(
    run: &mut Run,
    query: &Query,
    schema: &Schema,
    next: &NextSpan,
    max_rows: i64,
) -> Result<(i64, Rows), Failure> {
    let end = slice_end(run, schema, next, max_rows).await?;
    Ok((end, read_rows(run, query, schema, next, end).await?))
}

/// Returns the last `history_id` of a slice of at most `rows` rows.
async fn slice_end(run: &mut Run, schema: &Schema, next: &NextSpan, rows: i64) -> Result<i64, Failure> {
    let Span { after, end } = next.span;
    // The span has no more rows than ids.
    if end.saturating_sub(after) <= rows {
        return Ok(end);
    }
    let statement = schema.name.statement(SLICES[next.table]);
    let row = run.fetch_one(sqlx::query(statement).bind(after).bind(end).bind(rows)).await?;
    Ok(row.try_get("slice_end")?)
}

/// Reads the rows of the span up to `end`.
async fn read_rows(
    run: &mut Run,
    query: &Query,
    schema: &Schema,
    next: &NextSpan,
    end: i64,
) -> Result<Rows, Failure> {
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
    if next.table == JOBS { rows::decode_jobs(&found) } else { rows::decode_dags(&found) }.map_err(explain)
}
