//! Starts and configures the three exporters, scrapes them, and reads their processor time and memory.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use marie_exporter::demo::server::Server;

use crate::page::METRICS;

/// Names of the exporters and of their roles, ours first.
pub(crate) const NAMES: [&str; 3] = ["marie-exporter", "sql_exporter", "postgres_exporter"];

/// Running exporter, killed when dropped.
pub(crate) struct Exporter {
    pub(crate) name: &'static str,
    process: Child,
    port: u16,
}

/// Starts all three exporters, each with its own role.
pub(crate) fn start(server: &Server, folder: &Path) -> anyhow::Result<Vec<Exporter>> {
    let url = |name: &str| {
        server.url("history").replace("postgres@", &format!("{}@", name.replace('-', "_")))
            + "?sslmode=disable"
    };
    let port = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let [ours, sql, postgres] = NAMES;
    let mut exporters = Vec::new();
    let mut add = |name, mut command: Command, port| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        exporters.push(Exporter { name, process, port });
        anyhow::Ok(())
    };

    let at = port()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_marie-exporter"));
    command.args(["serve", "--database-url", &url(ours), &format!("--web.listen-address=127.0.0.1:{at}")]);
    add(ours, command, at)?;

    let at = port()?;
    fs::write(folder.join("sql.yml"), sql_config(&url(sql)))?;
    let mut command = Command::new("prometheus-sql-exporter");
    command
        .current_dir(folder)
        .args(["-config.file=sql.yml", &format!("-web.listen-address=127.0.0.1:{at}")]);
    add(sql, command, at)?;

    let at = port()?;
    fs::write(folder.join("postgres.yml"), postgres_config())?;
    let mut command = Command::new("prometheus-postgres-exporter");
    command.current_dir(folder).env("DATA_SOURCE_NAME", url(postgres)).args([
        "--disable-default-metrics",
        "--disable-settings-metrics",
        "--extend.query-path=postgres.yml",
        &format!("--web.listen-address=127.0.0.1:{at}"),
    ]);
    add(postgres, command, at)?;
    Ok(exporters)
}

/// Returns the configuration of `sql_exporter`, which queries on an interval as ours does.
fn sql_config(url: &str) -> String {
    let mut text = format!("jobs:\n- name: page\n  interval: '15s'\n  connections: ['{url}']\n  queries:\n");
    for metric in &METRICS {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  - name: {}\n    help: page\n    labels: {:?}\n    values: {:?}\n    query: \"{}\"\n",
            metric.name, metric.labels, metric.values, metric.query
        );
    }
    text
}

/// Returns the queries of `postgres_exporter`, which runs them during each scrape.
fn postgres_config() -> String {
    let mut text = String::new();
    for metric in &METRICS {
        let _ = writeln!(text, "{}:\n  query: \"{}\"\n  metrics:", metric.name, metric.query);
        for (columns, usage) in [(metric.labels, "LABEL"), (metric.values, "GAUGE")] {
            for column in columns {
                let _ = writeln!(text, "    - {column}:\n        usage: {usage}\n        description: page");
            }
        }
    }
    text
}

impl Exporter {
    /// Scrapes, and returns the time from the connect to the last byte; fails if a number of the database is missing.
    pub(crate) fn scrape(&self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let answer = ureq::get(format!("http://127.0.0.1:{}/metrics", self.port)).call();
        let text = answer
            .and_then(|mut answer| answer.body_mut().with_config().limit(64 << 20).read_to_string())
            .with_context(|| format!("{} does not answer", self.name))?;
        let took = started.elapsed();
        let is_there = |metric: &str| text.lines().any(|line| line.starts_with(metric));
        // sql_exporter names its metrics sql_* and puts the query's name into a label.
        anyhow::ensure!(
            is_there("marie_jobs_stuck{") || text.contains("stuck_jobs"),
            "{} has no number of stuck jobs:\n{text}",
            self.name
        );
        Ok(took)
    }

    /// Returns the seconds of processor time since the start.
    pub(crate) fn processor(&self) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name in brackets may contain spaces, so fields are counted after it.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = fields
            .get(11..13)
            .context("no times in /proc")?
            .iter()
            .flat_map(|ticks| ticks.parse::<f64>())
            .sum();
        // Linux has 100 ticks a second on all supported platforms.
        Ok(ticks / 100.0)
    }

    /// Returns the peak resident memory in kB.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
