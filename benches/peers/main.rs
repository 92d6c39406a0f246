//! Compares our exporter with two general-purpose exporters that run the maintenance page's monitoring queries.
//!
//! All three run every 15 seconds on the same database at the same time. Measures what each costs the database, the
//! machine and the scraper; prints figures and asserts nothing.
//!
//! `make bench-peers` takes about fifty minutes and 20 GB of temporary disk; `cargo bench --bench peers -- 100000` measures
//! one small history. Debian's packages prometheus-sql-exporter and prometheus-postgres-exporter are required.

#![expect(clippy::print_stdout, reason = "the program prints its results")]

#[path = "../load/database.rs"]
mod database;
mod exporters;
mod page;

use std::time::{Duration, Instant};

use anyhow::Context;
use marie_exporter::demo::server::Server;
use sqlx::{PgConnection, Row};

use crate::exporters::Exporter;

/// Time of the measurement at each size: two slow intervals, and forty scrapes of each exporter.
const STRETCH: Duration = Duration::from_mins(10);
const INTERVAL: Duration = Duration::from_secs(15);

/// Costs of one exporter at one size.
struct Cost {
    name: &'static str,
    statements: f64,
    /// Seconds of planning and executing.
    database: f64,
    /// Pages of 8 kB, from the cache or the disk.
    pages: f64,
    /// Seconds of processor time of the exporter's process.
    processor: f64,
    /// Peak resident memory in kB.
    memory: f64,
    /// Seconds of each scrape.
    scrapes: Vec<f64>,
}

fn main() -> anyhow::Result<()> {
    let sizes: Vec<u64> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .map(|size| size.parse())
        .collect::<Result<_, _>>()
        .context("sizes are numbers of jobs")?;
    let sizes = if sizes.is_empty() { vec![100_000, 1_000_000, 5_000_000] } else { sizes };
    let server = Server::start_with(&[
        ("shared_buffers", "2GB"),
        ("max_wal_size", "16GB"),
        ("autovacuum", "off"),
        ("maintenance_work_mem", "1GB"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("pg_stat_statements.track_planning", "on"),
        ("compute_query_id", "on"),
    ])?;
    let runtime = tokio::runtime::Runtime::new()?;
    let queues = ["extract", "classify", "transform", "load", "gen5_extract"].map(str::to_owned);
    let mut connection = runtime.block_on(database::create(&server, "history", &queues))?;
    runtime.block_on(create_roles(&mut connection))?;
    let mut from = 0;
    let mut tables = Vec::new();
    for size in sizes {
        runtime.block_on(database::grow(&mut connection, from, size, 0))?;
        runtime.block_on(sqlx::raw_sql("checkpoint").execute(&mut connection))?;
        tables.push((size, runtime.block_on(measure(&server, &mut connection))?));
        from = size;
    }
    print(&tables);
    Ok(())
}

/// Creates a role for each exporter, so that the server's statistics distinguish them.
async fn create_roles(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("create extension pg_stat_statements with schema public").execute(&mut *connection).await?;
    for name in exporters::NAMES {
        let role = name.replace('-', "_");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "create role {role} login;
             grant usage on schema marie_scheduler to {role};
             grant select on all tables in schema marie_scheduler to {role}"
        )))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Runs and scrapes all three exporters for [`STRETCH`].
async fn measure(server: &Server, connection: &mut PgConnection) -> anyhow::Result<Vec<Cost>> {
    let folder = tempfile::tempdir()?;
    sqlx::query("select public.pg_stat_statements_reset()").execute(&mut *connection).await?;
    let exporters = exporters::start(server, folder.path())?;
    let mut scrapes = vec![Vec::new(); exporters.len()];
    let began = Instant::now();
    let mut due = began;
    while began.elapsed() < STRETCH {
        due += INTERVAL;
        tokio::time::sleep_until(due.into()).await;
        for (exporter, times) in exporters.iter().zip(&mut scrapes) {
            times.push(exporter.scrape()?.as_secs_f64());
        }
    }
    let mut costs = Vec::new();
    for (exporter, scrapes) in exporters.iter().zip(scrapes) {
        costs.push(cost(connection, exporter, scrapes).await?);
    }
    Ok(costs)
}

async fn cost(connection: &mut PgConnection, exporter: &Exporter, scrapes: Vec<f64>) -> anyhow::Result<Cost> {
    let row = sqlx::query(include_str!("cost.sql"))
        .bind(exporter.name.replace('-', "_"))
        .fetch_one(connection)
        .await?;
    Ok(Cost {
        name: exporter.name,
        statements: row.try_get("statements")?,
        database: row.try_get("seconds")?,
        pages: row.try_get("pages")?,
        processor: exporter.processor()?,
        memory: exporter.memory()?,
        scrapes,
    })
}

fn print(tables: &[(u64, Vec<Cost>)]) {
    println!(
        "\n| jobs | exporter | database time, share of a core | pages read a minute | its own processor time | its memory | \
         scrape: median, longest |\n|---:|---|---:|---:|---:|---:|---:|"
    );
    let minutes = STRETCH.as_secs_f64() / 60.0;
    for (size, costs) in tables {
        for cost in costs {
            let longest = cost.scrapes.iter().copied().fold(0.0, f64::max);
            println!(
                "| {size} | {} | {:.2} % | {:.0} | {:.2} % | {:.0} MB | {:.1} ms, {:.1} ms |",
                cost.name,
                cost.database / STRETCH.as_secs_f64() * 100.0,
                cost.pages / minutes,
                cost.processor / STRETCH.as_secs_f64() * 100.0,
                cost.memory / 1e3,
                median(&cost.scrapes) * 1e3,
                longest * 1e3,
            );
        }
    }
    for (size, costs) in tables {
        let ours = &costs[0];
        for peer in &costs[1..] {
            println!(
                "{size} jobs: {} ÷ ours: database time {:.1}, pages {:.1}, processor {:.1}, memory {:.1} ({} statements to {})",
                peer.name,
                peer.database / ours.database,
                peer.pages / ours.pages,
                peer.processor / ours.processor,
                peer.memory / ours.memory,
                peer.statements,
                ours.statements,
            );
        }
    }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
