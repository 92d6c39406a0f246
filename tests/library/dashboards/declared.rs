//! Series that may be queried: those of the families in the code, and those that Prometheus adds.

use std::collections::{BTreeMap, BTreeSet};

use marie_exporter::cli::metric_table::families;
use marie_exporter::metrics::Kind;

/// Labels that Prometheus gives to every series of a target.
pub(crate) const TARGET_LABELS: [&str; 3] = ["job", "instance", "pod"];

/// Series that always exist besides our families.
const STANDARD: [(&str, &[&str]); 6] = [
    ("ALERTS", &["alertname", "alertstate", "severity", "queue"]),
    ("up", &[]),
    ("process_cpu_seconds_total", &[]),
    ("process_open_fds", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
];

#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) labels: BTreeSet<String>,
    /// Whether the family describes the database, so that every exporter on it publishes the same values.
    pub(crate) is_of_database: bool,
}

pub(crate) fn declared() -> Vec<Declared> {
    families()
        .into_iter()
        .map(|family| Declared {
            name: family.name.to_owned(),
            kind: family.kind,
            labels: set(family.labels),
            is_of_database: family.collector.is_some(),
        })
        .collect()
}

/// Returns the series that queries can name, each with its labels and its family.
pub(crate) fn series(declared: &[Declared]) -> BTreeMap<String, (BTreeSet<String>, String)> {
    let mut series = BTreeMap::new();
    let target = set(&TARGET_LABELS);
    for family in declared {
        let suffixes: &[&str] =
            if family.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
        for suffix in suffixes {
            let mut labels: BTreeSet<String> = family.labels.union(&target).cloned().collect();
            if *suffix == "_bucket" {
                labels.insert("le".to_owned());
            }
            series.insert(format!("{}{suffix}", family.name), (labels, family.name.clone()));
        }
    }
    for (name, labels) in STANDARD {
        let labels = set(labels).union(&target).cloned().collect();
        series.insert(name.to_owned(), (labels, name.to_owned()));
    }
    series
}

fn set(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}
