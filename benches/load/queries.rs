//! Measures one run of each collector at two sizes of history, and the maintenance page's queries for comparison.

use std::time::{Duration, Instant};

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collector::{Context, Lane};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::config::Config;
use marie_exporter::demo::server::Server;
use marie_exporter::postgres::Session;
use marie_exporter::schema::Schema;
use sqlx::{Connection, PgConnection, Row};
use tokio::runtime::Runtime;

use crate::{database, median};

/// The maintenance page's monitoring queries, unchanged.
const PAGE: [(&str, &str); 4] = [
    (
        "job statistics",
        "SELECT state, COUNT(*) as count FROM marie_scheduler.job GROUP BY state ORDER BY count DESC",
    ),
    (
        "stuck jobs",
        "SELECT * FROM marie_scheduler.job WHERE state = 'active' AND started_on < NOW() - INTERVAL '1 hour'",
    ),
    (
        "retry analysis",
        "SELECT name, AVG(retry_count) as avg_retries, MAX(retry_count) as max_retries, COUNT(*) as total_jobs \
         FROM marie_scheduler.job WHERE retry_count > 0 GROUP BY name ORDER BY avg_retries DESC",
    ),
    (
        "throughput",
        "SELECT DATE_TRUNC('hour', completed_on) as hour, COUNT(*) as completed_jobs FROM marie_scheduler.job \
         WHERE state = 'completed' AND completed_on > NOW() - INTERVAL '24 hours' \
         GROUP BY DATE_TRUNC('hour', completed_on) ORDER BY hour",
    ),
];

/// Results at one size, in seconds.
struct Measured {
    jobs: u64,
    fast: Vec<(&'static str, f64)>,
    slow: Vec<(&'static str, f64)>,
    page: Vec<f64>,
    pages: Pages,
}

/// Seconds of one run of each collector of a lane: of the first round, which plans every statement, and by collector of
/// later rounds.
pub(crate) struct Round {
    pub(crate) first: f64,
    pub(crate) then: Vec<(&'static str, f64)>,
}

/// Heap pages of `job` that one round of the fast collectors reads from an empty cache.
struct Pages {
    all: i64,
    unfinished: i64,
    parents: i64,
    others: i64,
}

pub(crate) fn compare(runtime: &Runtime, server: &mut Server, sizes: &[u64]) -> anyhow::Result<()> {
    let queues = ["extract", "classify", "transform", "load", "gen5_extract"].map(str::to_owned);
    let mut connection = runtime.block_on(database::create(server, "history", &queues))?;
    let mut measured = Vec::new();
    let mut from = 0;
    for &size in sizes {
        runtime.block_on(database::grow(&mut connection, from, size))?;
        // Without a checkpoint the restart would replay the log through the cache.
        runtime.block_on(sqlx::raw_sql("checkpoint").execute(&mut connection))?;
        runtime.block_on(connection.close())?;
        // A restart empties the cache, so that it then contains only the pages that the round has read.
        server.stop()?;
        server.start_again()?;
        let config = config(&server.url("history"))?;
        runtime.block_on(round(&config, Lane::Fast))?;
        connection = runtime.block_on(PgConnection::connect(&server.url("history")))?;
        runtime.block_on(
            sqlx::raw_sql(
                "set search_path = marie_scheduler, public; set session_replication_role = replica",
            )
            .execute(&mut connection),
        )?;
        let pages = runtime.block_on(pages(&mut connection))?;
        measured.push(runtime.block_on(measure(&config, &mut connection, size, pages))?);
        from = size;
    }
    print(&measured);
    Ok(())
}

async fn measure(
    config: &Config,
    connection: &mut PgConnection,
    jobs: u64,
    pages: Pages,
) -> anyhow::Result<Measured> {
    let mut page = vec![Vec::new(); PAGE.len()];
    for _ in 0..4 {
        for (seconds, (_, sql)) in page.iter_mut().zip(PAGE) {
            let started = Instant::now();
            sqlx::query(sql).fetch_all(&mut *connection).await?;
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    let page = page.into_iter().map(|seconds| median(seconds[1..].to_vec())).collect();
    Ok(Measured {
        jobs,
        fast: round(config, Lane::Fast).await?.then,
        slow: round(config, Lane::Slow).await?.then,
        page,
        pages,
    })
}

/// Returns the median of five rounds after two to warm up, by collector, on one connection as in a lane.
///
/// Each run counts completely: begin, queue labels, queries, end of the transaction.
pub(crate) async fn round(config: &Config, lane: Lane) -> anyhow::Result<Round> {
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut run = session.begin().await?;
    let schema = Schema::read(&mut run, &config.database.schema).await?;
    let inventory = QueueInventory::read(&mut run, &schema, &config.queues).await?;
    session.finish(run, None).await;
    let mut times: Vec<(&str, Vec<f64>)> = COLLECTORS
        .iter()
        .filter(|collector| collector.queries_in(lane, config, &schema).next().is_some())
        .map(|collector| (collector.name, Vec::new()))
        .collect();
    for _ in 0..7 {
        for (name, seconds) in &mut times {
            let Some(collector) = COLLECTORS.iter().find(|collector| collector.name == *name) else {
                continue;
            };
            let started = Instant::now();
            let mut run = session.begin().await?;
            let queues = QueueLabels::read(&mut run, &schema, &inventory, &config.queues).await?;
            let context = Context { config, schema: &schema, queues: &queues };
            collector.collect(lane, &mut run, &context, &mut Vec::new()).await?;
            session.finish(run, None).await;
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    session.close().await;
    // The server updates the statistics of a session when it ends.
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(Round {
        first: times.iter().map(|(_, seconds)| seconds[0]).sum(),
        then: times.into_iter().map(|(name, seconds)| (name, median(seconds[2..].to_vec()))).collect(),
    })
}

async fn pages(connection: &mut PgConnection) -> anyhow::Result<Pages> {
    sqlx::raw_sql(include_str!("cached.sql")).execute(&mut *connection).await?;
    let row = sqlx::query(include_str!("pages.sql")).fetch_one(&mut *connection).await?;
    sqlx::raw_sql("drop table cached").execute(connection).await?;
    Ok(Pages {
        all: row.try_get("pages")?,
        unfinished: row.try_get("unfinished")?,
        parents: row.try_get("parents")?,
        others: row.try_get("others")?,
    })
}

pub(crate) fn config(url: &str) -> anyhow::Result<Config> {
    let arguments = ["marie-exporter", "serve", "--database-url", url, "--collector.timeout", "10m"];
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Serve(config)) => Ok(config),
        Ok(_) => anyhow::bail!("not the command serve"),
        Err(error) => Err(error.into()),
    }
}

fn print(measured: &[Measured]) {
    let sum = |times: &[(&str, f64)]| times.iter().map(|(_, seconds)| seconds).sum::<f64>();
    println!("\n| milliseconds at | {} | ratio |", row(measured, |at| format!("{} jobs", at.jobs)));
    println!("|---|{}---|", "---|".repeat(measured.len()));
    let line = |name: &str, time: &dyn Fn(&Measured) -> f64| {
        let (Some(first), Some(last)) = (measured.first(), measured.last()) else { return };
        println!(
            "| {name} | {} | {:.2} |",
            row(measured, |at| format!("{:.1}", time(at) * 1e3)),
            time(last) / time(first)
        );
    };
    line("**fast collectors, one round**", &|at| sum(&at.fast));
    for index in 0..measured[0].fast.len() {
        line(measured[0].fast[index].0, &|at| at.fast[index].1);
    }
    line("**the page's four queries**", &|at| at.page.iter().sum());
    for (index, (name, _)) in PAGE.iter().enumerate() {
        line(name, &|at| at.page[index]);
    }
    line("**slow collectors, one round**", &|at| sum(&at.slow));
    for index in 0..measured[0].slow.len() {
        line(measured[0].slow[index].0, &|at| at.slow[index].1);
    }
    println!(
        "\nthe page's queries ÷ a fast round: {}",
        row(measured, |at| format!("{:.1}", at.page.iter().sum::<f64>() / sum(&at.fast)))
    );
    for at in measured {
        let Pages { all, unfinished, parents, others } = at.pages;
        println!(
            "{} jobs: a fast round read {all} heap pages of job: {unfinished} with unfinished jobs, {parents} with parents \
             of waiting jobs, {others} with finished jobs only",
            at.jobs
        );
    }
}

fn row(measured: &[Measured], cell: impl Fn(&Measured) -> String) -> String {
    measured.iter().map(cell).collect::<Vec<_>>().join(" | ")
}
