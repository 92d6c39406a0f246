//! Measures the archiving of a large history and the waits of a scheduler meanwhile.
//!
//! `maintain archive` archives half of the due jobs, the maintenance page's two statements the other half, on the same
//! database.
//!
//! `cargo bench --bench archive` creates a million jobs and takes about five minutes; `-- 200000` creates fewer.

#![expect(clippy::print_stdout, reason = "the program prints its results")]

#[path = "../load/database.rs"]
mod database;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use marie_exporter::demo::server::Server;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// Columns for the page's statements, which name all columns; the archive lacks some of them.
const COLUMNS: &str = "id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, start_after, \
    started_on, expire_in, created_on, completed_on, keep_until, output, dead_letter, policy, dependencies, dag_id, \
    job_level, duration, sla_interval, soft_sla, hard_sla, sla_miss_logged, lease_owner, lease_expires_at, lease_epoch, \
    run_owner, run_lease_expires_at";
const PAGES_CONDITION: &str = "state in ('completed', 'failed', 'cancelled', 'expired') \
    and completed_on < now() - interval '23 days'";

fn main() -> anyhow::Result<()> {
    let size = std::env::args().skip(1).find(|argument| argument != "--bench");
    let size: u64 = size.as_deref().unwrap_or("1000000").parse().context("the size is a number of jobs")?;
    let server =
        Server::start_with(&[("shared_buffers", "2GB"), ("max_wal_size", "16GB"), ("autovacuum", "off")])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(&server, size))
}

async fn measure(server: &Server, size: u64) -> anyhow::Result<()> {
    let queues = ["extract", "classify", "transform", "load", "gen5_extract"].map(str::to_owned);
    let mut connection = database::create(server, "history", &queues).await?;
    database::grow(&mut connection, 0, size, 0).await?;
    // Triggers are on, as in production.
    sqlx::raw_sql("set session_replication_role = origin; set search_path = marie_scheduler, pg_catalog")
        .execute(&mut connection)
        .await?;
    let url = server.url("history");

    let began = Instant::now();
    let archive = ["maintain", "archive", "--older-than=23d", "--allow-dropping=branch_metadata"];
    run(&url, &archive)?;
    println!("the plan for {size} jobs: {:.1} s", began.elapsed().as_secs_f64());

    let ours = time_with_scheduler(&url, async || {
        let url = url.clone();
        let archive =
            ["maintain", "archive", "--older-than=32d", "--allow-dropping=branch_metadata", "--execute"];
        tokio::task::spawn_blocking(move || run(&url, &archive)).await?
    });
    let ours = report("maintain archive", &mut connection, ours.await?).await?;
    let pages = time_with_scheduler(&url, async || {
        let copy =
            format!("insert into archive ({COLUMNS}) select {COLUMNS} from job where {PAGES_CONDITION}");
        let delete = format!("delete from job where {PAGES_CONDITION}");
        sqlx::raw_sql(AssertSqlSafe(format!("{copy}; {delete}"))).execute(&mut connection).await?;
        Ok(())
    });
    let pages = pages.await?;
    let pages = report("the page's statements", &mut connection, pages).await?;
    println!(
        "the page's ÷ ours: jobs a second {:.1}, the scheduler's longest wait {:.1}",
        pages.0 / ours.0,
        pages.1 / ours.1
    );
    Ok(())
}

fn run(url: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_marie-exporter"))
        .args(arguments)
        .args(["--database-url", url])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Returns how long the work took, and how long each statement of a concurrent scheduler took.
async fn time_with_scheduler(
    url: &str,
    work: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let stop = Arc::new(AtomicBool::new(false));
    let scheduler = tokio::spawn(schedule(url.to_owned(), Arc::clone(&stop)));
    let began = Instant::now();
    work().await?;
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    Ok((took, scheduler.await??))
}

/// Updates an unfinished job every 20 ms, as a worker's report does.
async fn schedule(url: String, stop: Arc<AtomicBool>) -> anyhow::Result<Vec<Duration>> {
    let mut session = PgConnection::connect(&url).await?;
    let mut waits = Vec::new();
    let id: sqlx::types::Uuid =
        sqlx::query("select id from marie_scheduler.job where state = 'active' limit 1")
            .fetch_one(&mut session)
            .await?
            .try_get(0)?;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        sqlx::query("update marie_scheduler.job set priority = priority + 1 where id = $1")
            .bind(id)
            .execute(&mut session)
            .await?;
        waits.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(waits)
}

/// Prints and returns the jobs per second and the longest wait in milliseconds.
async fn report(
    name: &str,
    connection: &mut PgConnection,
    (took, mut waits): (Duration, Vec<Duration>),
) -> anyhow::Result<(f64, f64)> {
    let moved: i64 = sqlx::query("with moved as (select count(*) from archive) select * from moved")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    sqlx::raw_sql("truncate archive").execute(connection).await?;
    waits.sort_unstable();
    let milliseconds = |wait: Option<&Duration>| wait.map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
    let (median, longest) = (milliseconds(waits.get(waits.len() / 2)), milliseconds(waits.last()));
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let pace = moved as f64 / took.as_secs_f64();
    println!(
        "{name}: {moved} jobs in {:.1} s, {pace:.0} a second; a statement of the scheduler took {median:.1} ms, at \
         longest {longest:.1} ms",
        took.as_secs_f64()
    );
    Ok((pace, longest))
}
