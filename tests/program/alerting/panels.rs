//! Every query of every panel, asked of the Prometheus that has seen all the troubles.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::alerting::pace::Pace;
use crate::alerting::stack::Stack;

/// Asks what the panels ask, with all jobs, instances and queues chosen.
pub(crate) fn every_panel_shows_something(stack: &Stack, since: Instant, pace: Pace) {
    let mut empty = BTreeSet::new();
    let mut asked = 0;
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
                asked += 1;
                let query = fill_in(target["expr"].as_str().unwrap(), pace);
                if stack
                    .prometheus
                    .query_since(&query, since, pace.interval())
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
    assert!(asked > 100, "only {asked} queries were found");
    // If one has to be allowed to be empty: list it here, with the reason.
    assert!(empty.is_empty(), "empty: {empty:#?}");
}

/// As Grafana replaces its variables.
fn fill_in(query: &str, pace: Pace) -> String {
    let seconds = |duration: Duration| format!("{}ms", duration.as_millis());
    let mut query = query
        .replace("$__rate_interval", &seconds(pace.interval() * 4))
        .replace("$__range", &seconds(pace.of(Duration::from_mins(25))));
    for variable in ["job", "instance", "queue"] {
        query = query.replace(&format!("${variable}"), ".+");
    }
    assert!(!query.contains('$'), "{query}");
    query
}
