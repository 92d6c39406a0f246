//! Measures the exporter in an incident: a large history, many waiting jobs, and the scheduler's refresh of each minute.
//!
//! It starts the program with a role of its own, and prints for each load budget: how much database time each pace used,
//! the longest statement, when important numbers were first published and whether they were right, and the peak memory.
//! It asserts nothing.
//!
//! `cargo bench --bench budget -- 5000000 1000000 10 still 1% 10%` has 5M finished and 1M waiting jobs, and runs for ten
//! minutes with each of the two load budgets. With `refreshed` in place of `still` all jobs that are not completed are
//! updated each minute, as in production. Without arguments it has 5M finished and 100,000 waiting jobs, refreshed, and
//! runs for twenty minutes at 1 %, after ten minutes of preparation. Both need 15 GB of temporary disk.
//!
//! Beside the waiting jobs in DAGs of ten there are the 10,000 unfinished jobs of `benches/load`.

#![expect(clippy::print_stdout, reason = "the program prints its results")]
#![allow(dead_code, reason = "the tests use the rest of their support")]

#[path = "../load/database.rs"]
mod database;
mod refresh;
mod report;
mod sighting;
#[allow(clippy::unwrap_used, reason = "written for tests")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use anyhow::Context;
use marie_exporter::demo::server::Server;
use sqlx::PgConnection;
use tokio::runtime::Runtime;

use crate::refresh::Refreshes;
use crate::report::Report;
use crate::support::process::{Process, command};
use crate::support::{memory, scrape};

/// Time between two scrapes, which limits the precision of the measured times.
const SCRAPE_INTERVAL: Duration = Duration::from_millis(500);

const ROLE: &str = "marie_exporter";

/// What the arguments choose.
struct Incident {
    finished: u64,
    waiting: u64,
    stretch: Duration,
    is_refreshed: bool,
    budgets: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let incident = Incident::from_arguments().context(
        "arguments: finished jobs, waiting jobs, minutes, refreshed or still, load budgets such as 1%",
    )?;
    let server = Server::start_with(&[
        ("shared_buffers", "2GB"),
        ("max_wal_size", "2GB"),
        ("autovacuum", "off"),
        ("maintenance_work_mem", "1GB"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("pg_stat_statements.track_planning", "on"),
        ("compute_query_id", "on"),
    ])?;
    let runtime = Runtime::new()?;
    let mut connection = runtime.block_on(prepare(&server, &incident))?;
    for budget in &incident.budgets {
        let report = measure(&runtime, &server, &mut connection, &incident, budget)?;
        report.print(&incident, budget);
    }
    Ok(())
}

impl Incident {
    fn from_arguments() -> anyhow::Result<Self> {
        let given: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        let defaults = ["5000000", "100000", "20", "refreshed", "1%"].map(str::to_owned);
        let arguments = if given.is_empty() { &defaults[..] } else { &given[..] };
        let [finished, waiting, minutes, refresh, budgets @ ..] = arguments else {
            anyhow::bail!("an argument is missing");
        };
        anyhow::ensure!(["refreshed", "still"].contains(&refresh.as_str()), "not refreshed or still");
        Ok(Incident {
            finished: finished.parse()?,
            waiting: waiting.parse()?,
            stretch: Duration::from_mins(minutes.parse()?),
            is_refreshed: refresh == "refreshed",
            budgets: budgets.to_vec(),
        })
    }
}

/// Fills the database and creates the exporter's role.
async fn prepare(server: &Server, incident: &Incident) -> anyhow::Result<PgConnection> {
    let queues = ["extract", "classify", "transform", "load", "gen5_extract"].map(str::to_owned);
    let mut connection = database::create(server, "history", &queues).await?;
    database::grow(&mut connection, 0, incident.finished, incident.waiting).await?;
    let prepare = format!(
        "create extension pg_stat_statements with schema public;
         create role {ROLE} login;
         grant usage on schema marie_scheduler to {ROLE};
         grant select on all tables in schema marie_scheduler to {ROLE};
         checkpoint"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut connection).await?;
    for statement in ["alter system set autovacuum = on", "select pg_reload_conf()"] {
        sqlx::raw_sql(statement).execute(&mut connection).await?;
    }
    Ok(connection)
}

/// Runs the exporter with a load budget, and the refresh if it is chosen.
fn measure(
    runtime: &Runtime,
    server: &Server,
    connection: &mut PgConnection,
    incident: &Incident,
    budget: &str,
) -> anyhow::Result<Report> {
    let mut sightings = runtime.block_on(sighting::sightings(connection))?;
    runtime.block_on(sqlx::raw_sql("select public.pg_stat_statements_reset()").execute(&mut *connection))?;
    let refreshes = incident.is_refreshed.then(|| Refreshes::start(runtime, server.url("history")));
    let began = Instant::now();
    let process = Process::start(serve(server, budget), 1);
    let mut metrics = scrape::metrics(process.address());
    while began.elapsed() < incident.stretch {
        for sighting in &mut sightings {
            sighting.look(&metrics, began);
        }
        std::thread::sleep(SCRAPE_INTERVAL);
        metrics = scrape::metrics(process.address());
    }
    let statements = runtime.block_on(report::statements(connection))?;
    let report = Report {
        seconds: began.elapsed().as_secs_f64(),
        metrics,
        statements,
        sightings,
        peak_memory: memory::peak_mib(process.id()),
        refreshes: refreshes.map(Refreshes::stop),
    };
    let (_, _, log) = process.end("TERM");
    eprint!("{log}");
    Ok(report)
}

fn serve(server: &Server, budget: &str) -> std::process::Command {
    let url = server.url("history").replace("postgres@", &format!("{ROLE}@"));
    let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--database-url", &url]);
    serve.arg(format!("--collector.load-budget={budget}"));
    serve
}
