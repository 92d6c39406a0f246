//! The form of the dashboards' JSON: stable ids, a grid without overlaps, valid links, one format.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dashboards::files::{dashboards, text};

#[test]
fn dashboard_has_the_name_of_its_uid_and_one_format() {
    for dashboard in dashboards() {
        assert_eq!(dashboard.file, format!("{}.json", dashboard.uid()));
        assert!(dashboard.json["schemaVersion"].as_u64().unwrap() <= 38, "Grafana 10.0 must understand it");
        let tidy = format!("{}\n", serde_json::to_string_pretty(&dashboard.json).unwrap());
        assert!(dashboard.text == tidy, "{}: two spaces, keys in alphabetical order", dashboard.file);
        assert!(dashboard.json["id"].is_null(), "an id is valid in only one Grafana");
        assert!(dashboard.json["__inputs"].is_null(), "inputs cannot be provisioned");
        assert!(dashboard.json["tags"].as_array().unwrap().contains(&"marie".into()));
        let annotation = dashboard.annotations().next().unwrap();
        assert!(annotation["expr"].as_str().unwrap().contains("ALERTS"));
    }
}

#[test]
fn panels_have_unique_ids_and_do_not_overlap() {
    for dashboard in dashboards() {
        let panels = dashboard.json["panels"].as_array().unwrap();
        let mut cells = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in panels {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(x + w <= 24, "{}", panel["title"]);
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                assert!(cells.insert(cell), "{} overlaps another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn every_link_has_a_target() {
    let uids: BTreeSet<String> = dashboards().iter().map(|dashboard| dashboard.uid().to_owned()).collect();
    let headings: Option<BTreeSet<String>> = text("alerts/runbooks.md").map(|runbooks| {
        let headings = runbooks.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| line.trim_start_matches('#').trim().to_lowercase()).collect()
    });
    for dashboard in dashboards() {
        let mut urls = Vec::new();
        collect_urls(&dashboard.json, &mut urls);
        assert!(urls.contains(&"${runbooks}"), "{}", dashboard.file);
        for url in urls {
            if let Some(path) = url.strip_prefix("/d/") {
                assert!(uids.contains(path.split('?').next().unwrap()), "{url}");
            } else if let Some(anchor) = url.strip_prefix("${runbooks}#") {
                if let (Some(headings), false) = (&headings, anchor.contains("${")) {
                    assert!(headings.contains(anchor), "{}: no runbook {anchor}", dashboard.file);
                }
            } else {
                assert!(["", "${runbooks}"].contains(&url), "{url}");
            }
        }
    }
}

fn collect_urls<'a>(value: &'a Value, urls: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(url) if key == "url" => urls.push(url),
                    _ => collect_urls(value, urls),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_urls(value, urls)),
        _ => {}
    }
}
