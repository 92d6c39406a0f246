//! Measures whether the load budget holds, with a large history and a slow interval so short that the budget decides when
//! slow collectors run, and whether fast collectors keep their interval.
//!
//! For each collector and lane it prints runs, seconds of database time measured by the server and by the exporter, their
//! share of the time, and the resulting interval. It asserts nothing.
//!
//! `cargo bench --bench budget` takes about forty minutes and 15 GB of temporary disk; `cargo bench --bench budget --
//! 1000000 20` has a million jobs and runs for twenty minutes.

#![expect(clippy::print_stdout, reason = "the program prints its results")]
#![allow(dead_code, reason = "the tests use the rest of their support")]

#[path = "../load/database.rs"]
mod database;
#[allow(clippy::unwrap_used, reason = "written for tests")]
#[path = "../../tests/support/mod.rs"]
mod support;
mod track;

use std::time::{Duration, Instant};

use anyhow::Context;
use marie_exporter::config::SchemaName;
use marie_exporter::demo::server::Server;
use marie_exporter::schema::Schema;
use sqlx::{Connection, PgConnection, Row};

use crate::support::process::{Process, command};
use crate::support::scrape;
use crate::track::Track;

const JOBS: u64 = 5_000_000;
const MINUTES: u64 = 30;

/// The default load budget.
const BUDGET: &str = "1%";
/// The default interval.
const INTERVAL: &str = "15s";
/// A tenth of the default interval.
const SLOW_INTERVAL: &str = "30s";

/// Time between two scrapes, which limits the precision of the measured intervals.
const SCRAPE_INTERVAL: Duration = Duration::from_millis(200);

const ROLE: &str = "marie_exporter";

fn main() -> anyhow::Result<()> {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .map(|number| number.parse())
        .collect::<Result<_, _>>()
        .context("the arguments are a number of jobs and one of minutes")?;
    let jobs = numbers.first().copied().unwrap_or(JOBS);
    let stretch = Duration::from_mins(numbers.get(1).copied().unwrap_or(MINUTES));
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
    runtime.block_on(database::grow(&mut connection, 0, jobs))?;
    let schema = runtime.block_on(prepare(&mut connection, &server.url("history")))?;

    let mut tracks = track::tracks(&schema);
    let began = Instant::now();
    let process = Process::start(serve(&server), 1);
    while began.elapsed() < stretch {
        let metrics = scrape::metrics(process.address());
        for track in &mut tracks {
            track.record(&metrics);
        }
        std::thread::sleep(SCRAPE_INTERVAL);
    }
    let statements = runtime.block_on(statements(&mut connection))?;
    print(jobs, began.elapsed(), &tracks, &statements);
    Ok(())
}

/// Creates the exporter's role and resets the statistics of statements.
async fn prepare(connection: &mut PgConnection, url: &str) -> anyhow::Result<Schema> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "create extension pg_stat_statements with schema public;
         create role {ROLE} login;
         grant usage on schema marie_scheduler to {ROLE};
         grant select on all tables in schema marie_scheduler to {ROLE};
         checkpoint;
         select public.pg_stat_statements_reset()"
    )))
    .execute(&mut *connection)
    .await?;
    let name: SchemaName = "marie_scheduler".parse().map_err(anyhow::Error::msg)?;
    let mut session = marie_exporter::postgres::Connection::new(PgConnection::connect(url).await?);
    Ok(Schema::read(&mut session, &name).await?)
}

fn serve(server: &Server) -> std::process::Command {
    let url = server.url("history").replace("postgres@", &format!("{ROLE}@"));
    let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--database-url", &url]);
    serve.arg(format!("--collector.interval={INTERVAL}"));
    serve.arg(format!("--collector.slow-interval={SLOW_INTERVAL}"));
    serve.arg(format!("--collector.load-budget={BUDGET}"));
    serve
}

/// Returns each statement of our role with its seconds of planning and executing.
async fn statements(connection: &mut PgConnection) -> anyhow::Result<Vec<(String, f64)>> {
    let rows = sqlx::query(include_str!("statements.sql")).bind(ROLE).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("statement")?, row.try_get("seconds")?))).collect()
}

fn print(jobs: u64, stretch: Duration, tracks: &[Track], statements: &[(String, f64)]) {
    println!(
        "\n{jobs} jobs, {:.0} minutes, a budget of {BUDGET} for each row\n",
        stretch.as_secs_f64() / 60.0
    );
    println!(
        "| collector | lane | runs | s, by the server | s, by the exporter | share of time | interval: set | real, median |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    let mut attributed = 0.0;
    for track in tracks {
        let seconds = track.seconds(statements);
        attributed += seconds;
        let or_none = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
        println!(
            "| {} | {} | {} | {seconds:.2} | {:.2} | {} | {} | {} |",
            track.collector.name,
            track.lane.label(),
            track.runs(),
            track.busy(),
            or_none(track.share().map(|share| format!("{:.2} %", share * 100.0))),
            if track.lane.label() == "fast" { INTERVAL } else { SLOW_INTERVAL },
            or_none(track.median_interval().map(|seconds| format!("{seconds:.1} s"))),
        );
    }
    let total: f64 = statements.iter().map(|(_, seconds)| seconds).sum();
    println!(
        "\nby the server {total:.1} s in total, {:.2} % of the time; {:.1} s of it for schema, queue inventory, \
         transactions and further statements of events",
        total / stretch.as_secs_f64() * 100.0,
        total - attributed,
    );
}
