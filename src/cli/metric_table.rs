//! `marie-exporter metrics`: the table of all families, made from their declarations. A test compares docs/metrics.md with it.

use std::fmt::Write;

use serde::Serialize;

use crate::collect::collectors::COLLECTORS;
use crate::collect::self_metrics;
use crate::config::MetricsFormat;
use crate::metrics::{Family, Kind};

/// The rules for Prometheus that `marie-exporter rules` prints. The first group holds the thresholds.
pub const RULES: &str = include_str!("../../alerts/marie.rules.yml");

/// A row of the table.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub name: &'static str,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// The collector that publishes it. `None` for the exporter's own metrics.
    pub collector: Option<&'static str>,
}

impl Listed {
    fn new(family: &'static Family, collector: Option<&'static str>) -> Self {
        Listed { name: family.name, kind: family.kind, labels: family.labels, help: family.help, collector }
    }
}

/// Returns all families, in the order of the table.
pub fn families() -> Vec<Listed> {
    let collected = COLLECTORS.iter().flat_map(|collector| {
        collector.families.iter().map(|family| Listed::new(family, Some(collector.name)))
    });
    let own = self_metrics::FAMILIES.iter().map(|family| Listed::new(family, None));
    collected.chain(own).collect()
}

/// Returns the table in this format.
pub fn table(format: MetricsFormat) -> serde_json::Result<String> {
    match format {
        MetricsFormat::Json => serde_json::to_string_pretty(&families()),
        MetricsFormat::Markdown => Ok(markdown()),
    }
}

fn markdown() -> String {
    let mut text = String::new();
    for collector in COLLECTORS {
        let heading = format!("### `{}`: {}", collector.name, collector.about);
        section(&mut text, &heading, collector.families);
    }
    section(&mut text, "### The exporter itself", self_metrics::FAMILIES);
    text.push_str("\nThe standard `process_*` metrics come with them.\n");
    text
}

fn section(text: &mut String, heading: &str, families: &[&Family]) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{heading}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for family in families {
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let labels = family.labels.join(", ");
        let _ = writeln!(text, "| `{}` | {kind} | {labels} | {} |", family.name, family.help);
    }
}
