//! The results of one measurement, and their print.

use std::time::SystemTime;

use marie_exporter::collect::pace::Pace;
use sqlx::{PgConnection, Row};

use crate::sighting::Sighting;
use crate::support::metrics::Metrics;
use crate::{Incident, ROLE};

/// Values of the label `reason` of `marie_collector_failures_total`.
const REASONS: [&str; 8] =
    ["timeout", "lock", "conflict", "permission", "schema_changed", "unavailable", "history_lost", "other"];

/// A statement of our role, with seconds that the server measured.
pub(crate) struct Statement {
    text: String,
    seconds: f64,
    longest: f64,
}

pub(crate) struct Report {
    pub(crate) seconds: f64,
    /// The last scrape.
    pub(crate) metrics: Metrics,
    /// The longest first.
    pub(crate) statements: Vec<Statement>,
    pub(crate) sightings: Vec<Sighting>,
    /// In MiB.
    pub(crate) peak_memory: Option<u64>,
    /// Seconds of each refresh.
    pub(crate) refreshes: Option<Vec<f64>>,
}

pub(crate) async fn statements(connection: &mut PgConnection) -> anyhow::Result<Vec<Statement>> {
    let rows = sqlx::query(include_str!("statements.sql")).bind(ROLE).fetch_all(connection).await?;
    let statement = |row: &sqlx::postgres::PgRow| {
        anyhow::Ok(Statement {
            text: row.try_get("statement")?,
            seconds: row.try_get("seconds")?,
            longest: row.try_get("longest")?,
        })
    };
    rows.iter().map(statement).collect()
}

impl Report {
    pub(crate) fn print(&self, incident: &Incident, budget: &str) {
        println!(
            "\n{} finished and {} waiting jobs, {}, {:.1} minutes, a load budget of {budget}\n",
            incident.finished,
            incident.waiting,
            if incident.is_refreshed { "refreshed each minute" } else { "not refreshed" },
            self.seconds / 60.0
        );
        self.print_paces();
        self.print_statements();
        println!("\n| first published | after s | number | by plain SQL | equal by label | at the end |");
        println!("|---|---:|---:|---:|---|---:|");
        self.sightings.iter().for_each(Sighting::print);
        self.print_rest();
    }

    fn print_paces(&self) {
        println!("| pace | runs | s, by the exporter | share of a core |\n|---|---:|---:|---:|");
        let labels = Pace::ALL.into_iter().map(Pace::label).chain(["catalog"]);
        let mut total = 0.0;
        for label in labels {
            let labels = [("pace", label)];
            let runs = self.metrics.values("marie_collector_runs_total", &labels);
            let runs = runs.into_iter().fold(0.0, f64::max);
            let busy = self.metrics.count("marie_database_busy_seconds_total", &labels);
            total += busy;
            println!("| {label} | {runs} | {busy:.2} | {} |", self.share(busy));
        }
        println!("| total | | {total:.2} | {} |", self.share(total));
        let by_server: f64 = self.statements.iter().map(|statement| statement.seconds).sum();
        println!("| total by the server | | {by_server:.2} | {} |", self.share(by_server));
    }

    fn share(&self, seconds: f64) -> String {
        format!("{:.2} %", seconds / self.seconds * 100.0)
    }

    /// Prints the three longest statements, each with its longest planning and execution together.
    fn print_statements(&self) {
        println!();
        for statement in self.statements.iter().take(3) {
            let text: String =
                statement.text.chars().take(100).map(|c| if c == '\n' { ' ' } else { c }).collect();
            println!("longest statement: {:.0} ms: {text}", statement.longest * 1e3);
        }
    }

    fn print_rest(&self) {
        println!();
        for reason in REASONS {
            let failures = self.metrics.count("marie_collector_failures_total", &[("reason", reason)]);
            if failures > 0.0 {
                println!("failed runs, {reason}: {failures}");
            }
        }
        if let Some(refreshes) = &self.refreshes {
            let longest = refreshes.iter().copied().fold(0.0, f64::max);
            println!("{} refreshes, the longest {longest:.1} s", refreshes.len());
        }
        let until = self.metrics.value("marie_events_counted_until_timestamp_seconds", &[]);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        if let (Some(until), Ok(now)) = (until, now) {
            println!("events are counted until {:.0} s before the end", now.as_secs_f64() - until);
        }
        if let Some(memory) = self.peak_memory {
            println!("peak memory of the exporter: {memory} MiB");
        }
    }
}
