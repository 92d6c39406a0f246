//! Measures the counting of events: a backlog compared with a plain count of the same rows, and a run without new rows
//! at two sizes of history. Prints figures and asserts nothing.
//!
//! `cargo bench --bench events` takes about five minutes and 15 GB of temporary disk;
//! `cargo bench --bench events -- 100000 1000000` measures smaller histories.

#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use marie_exporter::cli;
use marie_exporter::collect::collector::Context;
use marie_exporter::collect::events::EventCounter;
use marie_exporter::collect::queue_labels::QueueLabels;
use marie_exporter::config::Config;
use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::Session;
use marie_exporter::schema::Schema;
use sqlx::{Connection, PgConnection};

const ADDRESS: &str = "127.0.0.1:10198";

fn main() -> anyhow::Result<()> {
    let sizes: Vec<i64> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .map(|size| size.parse())
        .collect::<Result<_, _>>()
        .context("sizes are numbers of rows")?;
    let sizes = if sizes.is_empty() { vec![1_000_000, 10_000_000] } else { sizes };
    let server =
        Server::start_with(&[("shared_buffers", "2GB"), ("max_wal_size", "16GB"), ("autovacuum", "off")])?;
    let runtime = tokio::runtime::Runtime::new()?;
    for (every, what) in [(100, "one row in a hundred is a finish"), (1, "each row is a finish")] {
        runtime.block_on(backlog(&server, sizes[0], every, what))?;
    }
    let mut medians = Vec::new();
    for size in sizes {
        medians.push(runtime.block_on(idle(&server, size))?);
    }
    println!(
        "run with nothing new, larger ÷ smaller history: {:.2}",
        medians[medians.len() - 1] / medians[0]
    );
    Ok(())
}

async fn create(server: &Server, name: &str) -> anyhow::Result<(String, PgConnection)> {
    let url = server.create_database(name).await?;
    let mut connection = PgConnection::connect(&url).await?;
    Shape::Mid.install(&mut connection, "marie_scheduler").await?;
    Ok((url, connection))
}

async fn write(connection: &mut PgConnection, rows: i64, every: i64) -> anyhow::Result<()> {
    sqlx::query(include_str!("history.sql")).bind(rows).bind(every).execute(connection).await?;
    Ok(())
}

/// Measures how long the binary takes to count rows that one transaction has written.
async fn backlog(server: &Server, rows: i64, every: i64, what: &str) -> anyhow::Result<()> {
    let (url, mut connection) = create(server, &format!("backlog_{every}")).await?;
    let exporter = Exporter::start(&url)?;
    exporter.until(|text| value(text, UNTIL).is_some()).await?;
    let before = exporter.memory("VmHWM:")?;
    write(&mut connection, rows, every).await?;
    let committed: f64 = sqlx::query_scalar("select extract(epoch from clock_timestamp())::float8")
        .fetch_one(&mut connection)
        .await?;
    let started = Instant::now();
    exporter.until(|text| value(text, UNTIL).is_some_and(|until| until > committed)).await?;
    let took = started.elapsed().as_secs_f64();
    let after = exporter.memory("VmHWM:")?;

    sqlx::raw_sql("set max_parallel_workers_per_gather = 0; set jit = off").execute(&mut connection).await?;
    let started = Instant::now();
    sqlx::raw_sql("select name, state, count(*) from job_history group by name, state")
        .execute(&mut connection)
        .await?;
    let plain = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    let speed = rows as f64 / took;
    println!(
        "{rows} rows behind, {what}: counted after {took:.2} s ({speed:.0} rows a second); a plain count of them by queue \
         and state {plain:.2} s, ratio {:.1}; peak memory {before} before, {after} after",
        took / plain
    );
    Ok(())
}

/// Returns the seconds of a run while transactions write other tables than the history.
async fn idle(server: &Server, rows: i64) -> anyhow::Result<f64> {
    let (url, mut connection) = create(server, &format!("idle_{rows}")).await?;
    write(&mut connection, rows, 100).await?;
    for settle in ["vacuum analyze", "checkpoint"] {
        sqlx::raw_sql(settle).execute(&mut connection).await?;
    }
    let arguments = ["marie-exporter", "serve", "--database-url", &url];
    let Ok(cli::Command::Serve(config)) = cli::parse(arguments.map(Into::into), |_| None, &[]) else {
        anyhow::bail!("the flags are not valid")
    };
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut counter = EventCounter::new(&config)?;
    let mut times = Vec::new();
    for _ in 0..300 {
        sqlx::query("update version set version = version").execute(&mut connection).await?;
        times.push(time_run(&config, &mut session, &mut counter).await?);
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{rows} rows of history: a run with nothing new takes {:.2} ms in the database", median * 1e3);
    Ok(median)
}

async fn time_run(config: &Config, session: &mut Session, counter: &mut EventCounter) -> anyhow::Result<f64> {
    let mut run = session.begin().await?;
    let name = config.database.schema.clone();
    let schema = Schema::read(&mut run, &name).await?;
    let queues = QueueLabels::new(BTreeSet::new(), &[], &config.queues);
    let context = Context { config, schema: &schema, queues: &queues };
    let before = run.busy();
    let now = tokio::time::Instant::now();
    let result = counter.collect(&mut run, &context, Some(now), now).await;
    let took = run.busy().saturating_sub(before);
    session.finish(run, None).await;
    result?;
    Ok(took.as_secs_f64())
}

const UNTIL: &str = "marie_events_counted_until_timestamp_seconds";

/// Returns the value of the first sample whose line begins with this text.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find(|line| line.starts_with(series))?.rsplit_once(' ')?.1.parse().ok()
}

/// Running binary with a short interval and without a load budget; killed when dropped.
struct Exporter(Child);

impl Exporter {
    fn start(url: &str) -> anyhow::Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_marie-exporter"))
            .args(["serve", "--web.listen-address", ADDRESS, "--collector.interval=20ms"])
            .arg("--collector.load-budget=100%")
            .env("DATABASE_URL", url)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start marie-exporter")?;
        Ok(Exporter(child))
    }

    async fn until(&self, holds: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let started = Instant::now();
        loop {
            let text = ureq::get(&format!("http://{ADDRESS}/metrics"))
                .call()
                .ok()
                .and_then(|mut answer| answer.body_mut().read_to_string().ok());
            if let Some(text) = text.filter(|text| holds(text)) {
                return Ok(text);
            }
            anyhow::ensure!(started.elapsed() < Duration::from_mins(2), "timed out after two minutes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn memory(&self, key: &str) -> anyhow::Result<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        Ok(line.trim().to_owned())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
