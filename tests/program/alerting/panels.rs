//! Runs every query of every panel on the Prometheus that has scraped all faults.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::alerting::stack::Stack;
use crate::alerting::time_scale::TimeScale;

/// Asserts that every query returns series, with all jobs, instances and queues selected.
pub(crate) fn assert_all_have_data(stack: &Stack, since: Instant, scale: TimeScale) {
    let mut empty = BTreeSet::new();
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let uid = dashboard["uid"].as_str().unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            for target in panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default() {
                count += 1;
                let query = fill_in(target["expr"].as_str().unwrap(), scale);
                if stack
                    .prometheus
                    .query_since(&query, since, scale.interval())
                    .iter()
                    .all(|one| one.values.is_empty())
                {
                    empty.insert((
                        uid.to_owned(),
                        title.to_owned(),
                        target["refId"].as_str().unwrap().to_owned(),
                    ));
                }
            }
        }
    }
    assert!(count > 100, "only {count} queries were found");
    assert!(empty.is_empty(), "empty: {empty:#?}");
}

/// Replaces variables as Grafana does.
fn fill_in(query: &str, scale: TimeScale) -> String {
    let seconds = |duration: Duration| format!("{}ms", duration.as_millis());
    let mut query = query
        .replace("$__rate_interval", &seconds(scale.interval() * 4))
        .replace("$__range", &seconds(scale.shorten(Duration::from_mins(25))));
    for variable in ["job", "instance", "queue"] {
        query = query.replace(&format!("${variable}"), ".+");
    }
    assert!(!query.contains('$'), "{query}");
    query
}
