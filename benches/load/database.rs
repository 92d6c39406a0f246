//! Creates and fills the databases of the benches.

use std::time::Instant;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// Number of active DAGs, with five of ten jobs unfinished.
const ACTIVE_DAGS: i64 = 2_000;

/// Creates a database of the shape `mid` with these queues and their twins; triggers of the connection are off.
pub(crate) async fn create(server: &Server, name: &str, queues: &[String]) -> anyhow::Result<PgConnection> {
    let url = server.create_database(name).await?;
    let mut connection = PgConnection::connect(&url).await?;
    Shape::Mid.install(&mut connection, "marie_scheduler").await?;
    for queue in queues {
        for name in [queue.clone(), format!("${queue}_dlq")] {
            sqlx::query("select create_queue($1, '{\"retry_limit\": 2}')")
                .bind(name)
                .execute(&mut connection)
                .await?;
        }
    }
    sqlx::raw_sql("set session_replication_role = replica").execute(&mut connection).await?;
    Ok(connection)
}

/// Grows the history from `from` to `to` jobs, the first time with unfinished jobs. Adds `waiting` jobs in new DAGs.
///
/// Indexes are dropped before and built at the end. This is much faster and leaves them as after a REINDEX.
pub(crate) async fn grow(
    connection: &mut PgConnection,
    from: u64,
    to: u64,
    waiting: u64,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let indexes = drop_indexes(connection).await?;
    let (from, to) = (i64::try_from(from / 10)?, i64::try_from(to / 10)?);
    let last = to + i64::try_from(waiting / 10)?;
    let first = if from == 0 {
        // Active DAGs come first, so that a larger history adds only finished DAGs.
        finished(connection, 1, ACTIVE_DAGS, 5, "active").await?;
        execute(connection, include_str!("unfinished.sql"), 1, ACTIVE_DAGS).await?;
        ACTIVE_DAGS + 1
    } else {
        from + 1
    };
    for start in (first..=to).step_by(20_000) {
        finished(connection, start, to.min(start + 19_999), 10, "completed").await?;
    }
    execute(connection, include_str!("waiting.sql"), to + 1, last).await?;
    execute(connection, include_str!("dependencies.sql"), from + 1, last).await?;
    for index in indexes {
        sqlx::raw_sql(AssertSqlSafe(index)).execute(&mut *connection).await?;
    }
    settle(connection).await?;
    eprintln!("{} jobs created in {:.0} s", last * 10, started.elapsed().as_secs_f64());
    Ok(())
}

/// Vacuums and analyzes, as autovacuum does in production.
pub(crate) async fn settle(connection: &mut PgConnection) -> anyhow::Result<()> {
    for sql in ["vacuum (analyze) job", "vacuum (analyze) dag", "vacuum (analyze) job_dependencies"] {
        sqlx::raw_sql(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn finished(
    connection: &mut PgConnection,
    first: i64,
    last: i64,
    jobs: i64,
    state: &str,
) -> anyhow::Result<()> {
    sqlx::query(include_str!("finished.sql"))
        .bind(first)
        .bind(last)
        .bind(jobs)
        .bind(state)
        .execute(connection)
        .await?;
    Ok(())
}

async fn execute(
    connection: &mut PgConnection,
    sql: &'static str,
    first: i64,
    last: i64,
) -> anyhow::Result<()> {
    sqlx::query(sql).bind(first).bind(last).execute(connection).await?;
    Ok(())
}

async fn drop_indexes(connection: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    let rows = sqlx::query(
        "select format('drop index %s', i.indexrelid::regclass) as dropping, \
                replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as making \
         from pg_index as i \
         where i.indrelid in ('job'::regclass, 'job_dependencies'::regclass) and not i.indisprimary",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut indexes = Vec::new();
    for row in rows {
        sqlx::raw_sql(AssertSqlSafe(row.try_get::<String, _>("dropping")?)).execute(&mut *connection).await?;
        indexes.push(row.try_get("making")?);
    }
    Ok(indexes)
}
