//! When a family was first published, and whether its numbers were those of plain SQL.
//!
//! The refresh changes no state, so the numbers of plain SQL stay right during a measurement.

use std::time::Instant;

use sqlx::{PgConnection, Row};

use crate::support::metrics::Metrics;

/// Samples of a family that an operator needs first.
struct Target {
    family: &'static str,
    labels: &'static [(&'static str, &'static str)],
    /// The label that divides their sum.
    part: &'static str,
}

/// In the order of the numbers in truth.sql.
const TARGETS: [Target; 4] = [
    Target { family: "marie_jobs", labels: &[("state", "created")], part: "queue" },
    Target { family: "marie_jobs_ready", labels: &[], part: "queue" },
    Target { family: "marie_dags_stalled", labels: &[], part: "reason" },
    Target { family: "marie_jobs", labels: &[("state", "completed")], part: "queue" },
];

pub(crate) struct Sighting {
    target: Target,
    /// Numbers by the value of the label `part`.
    truth: Vec<(String, f64)>,
    /// The seconds until it was published, and the sum.
    first: Option<(f64, f64)>,
    last: f64,
    is_equal: bool,
}

/// Returns a sighting for each family, with its true numbers.
pub(crate) async fn sightings(connection: &mut PgConnection) -> anyhow::Result<Vec<Sighting>> {
    sqlx::raw_sql("set work_mem = '512MB'").execute(&mut *connection).await?;
    let rows = sqlx::query(include_str!("truth.sql")).fetch_all(&mut *connection).await?;
    let mut sightings = Vec::new();
    for (index, target) in TARGETS.into_iter().enumerate() {
        let mut truth = Vec::new();
        for row in &rows {
            if usize::try_from(row.try_get::<i32, _>("number")?)? == index {
                truth.push((row.try_get("part")?, row.try_get("value")?));
            }
        }
        sightings.push(Sighting { target, truth, first: None, last: 0.0, is_equal: false });
    }
    Ok(sightings)
}

impl Sighting {
    /// Records the samples if they are published for the first time, and their sum.
    pub(crate) fn look(&mut self, metrics: &Metrics, began: Instant) {
        let Target { family, labels, .. } = self.target;
        if metrics.values(family, labels).is_empty() {
            return;
        }
        self.last = metrics.count(family, labels);
        if self.first.is_none() {
            self.first = Some((began.elapsed().as_secs_f64(), self.last));
            self.is_equal = self.is_true(metrics);
        }
    }

    /// Whether each part and the sum are those of plain SQL.
    fn is_true(&self, metrics: &Metrics) -> bool {
        let Target { family, labels, part } = self.target;
        let published = |value: &str| {
            let labels: Vec<_> = labels.iter().copied().chain([(part, value)]).collect();
            metrics.count(family, &labels)
        };
        let is_equal = |one: f64, other: f64| (one - other).abs() < 0.5;
        let parts = self.truth.iter().all(|(value, number)| is_equal(published(value), *number));
        parts && is_equal(self.last, self.total())
    }

    fn total(&self) -> f64 {
        self.truth.iter().map(|(_, value)| value).sum()
    }

    /// Prints a row of the table.
    pub(crate) fn print(&self) {
        let labels = self.target.labels.iter().map(|(label, value)| format!("{{{label}=\"{value}\"}}"));
        let name = format!("`{}{}`", self.target.family, labels.collect::<String>());
        match self.first {
            Some((seconds, sum)) => println!(
                "| {name} | {seconds:.1} | {sum} | {} | {} | {} |",
                self.total(),
                if self.is_equal { "yes" } else { "no" },
                self.last
            ),
            None => println!("| {name} | never | | {} | | |", self.total()),
        }
    }
}
