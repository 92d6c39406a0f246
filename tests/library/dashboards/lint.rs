//! The rules of Grafana's dashboard linter, implemented again because the linter is a Go program to install.
//!
//! Its two rules for Loki are one here: no panel queries Loki.

use serde_json::Value;

use crate::dashboards::cross_check::label_values;
use crate::dashboards::declared::declared;
use crate::dashboards::files::{Dashboard, dashboards};
use crate::dashboards::promql::{Query, RATE_INTERVAL, Selector};

const ALERTS: &str = "an alert for an absent target has neither job nor instance, and must show";
const TITLE: &str = "the title or the column names the range";

/// Rule, dashboard, panel, and the reason of the exception.
const EXCEPTIONS: [(&str, &str, &str, &str); 6] = [
    ("target-rate-interval", "marie-overview", "Failed in the last hour", TITLE),
    ("target-rate-interval", "marie-overview", "Queues", TITLE),
    ("target-rate-interval", "marie-dags-slas", "Hard SLAs kept, last day", TITLE),
    ("target-rate-interval", "marie-dags-slas", "SLAs by queue", TITLE),
    ("target-job", "marie-overview", "Firing alerts", ALERTS),
    ("target-instance", "marie-overview", "Firing alerts", ALERTS),
];

/// The units that Grafana knows and that the dashboards use.
const UNITS: [&str; 4] = ["short", "s", "bytes", "percentunit"];

#[test]
fn linter_rules_hold_except_in_the_listed_panels() {
    let mut found: Vec<(&'static str, String, String)> = Vec::new();
    for dashboard in dashboards() {
        let mut report = |rule, panel: &str| {
            found.push((rule, dashboard.uid().to_owned(), panel.to_owned()));
        };
        lint_dashboard(&dashboard, &mut report);
        for panel in dashboard.panels() {
            lint_panel(panel, &mut report);
        }
    }
    let excused = |(rule, uid, panel): &&(&'static str, String, String)| {
        EXCEPTIONS.iter().any(|one| (one.0, one.1, one.2) == (*rule, uid.as_str(), panel.as_str()))
    };
    let broken: Vec<_> = found.iter().filter(|one| !excused(one)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    for (rule, uid, panel, _) in EXCEPTIONS {
        let is_needed = found.iter().any(|one| (one.0, one.1.as_str(), one.2.as_str()) == (rule, uid, panel));
        assert!(is_needed, "{rule} holds in {uid}, {panel}: delete the exception");
    }
}

fn lint_dashboard(dashboard: &Dashboard, report: &mut impl FnMut(&'static str, &str)) {
    let variables = dashboard.variables();
    let mut sources = variables.iter().filter(|variable| variable["type"] == "datasource");
    match (sources.next(), sources.next()) {
        (Some(source), None) if source["name"] == "datasource" && source["label"] == "Data Source" => {}
        _ => report("template-datasource", ""),
    }
    for (rule, name) in [("template-job", "job"), ("template-instance", "instance")] {
        let holds = variables.iter().any(|variable| {
            variable["name"] == name
                && variable["label"] == name
                && variable["type"] == "query"
                && variable["datasource"]["uid"] == "$datasource"
                && variable["multi"] == true
                && variable["allValue"] == ".+"
        });
        if !holds {
            report(rule, "");
        }
    }
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        let (selector, _) = label_values(variable["query"]["query"].as_str().unwrap());
        if Query::parse(selector).is_err() {
            report("template-label-promql", variable["name"].as_str().unwrap());
        }
        if variable["refresh"] != 2 {
            report("template-on-time-change-reload", variable["name"].as_str().unwrap());
        }
    }
    if dashboard.json["editable"] != false {
        report("uneditable-dashboard", "");
    }
}

fn lint_panel(panel: &Value, report: &mut impl FnMut(&'static str, &str)) {
    let title = panel["title"].as_str().unwrap_or_default();
    if panel["datasource"]["uid"] != "$datasource" || panel["datasource"]["type"] != "prometheus" {
        report("panel-datasource", title);
    }
    if title.is_empty() || panel["description"].as_str().is_none_or(str::is_empty) {
        report("panel-title-description", title);
    }
    if !UNITS.contains(&panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default()) {
        report("panel-units", title);
    }
    let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    if targets.is_empty() {
        report("panel-no-targets", title);
    }
    for target in targets {
        if target["datasource"]["type"] != "prometheus" {
            report("target-logql", title);
        }
        match Query::parse(target["expr"].as_str().unwrap_or_default()) {
            Ok(query) => query.selectors.iter().for_each(|selector| lint_selector(selector, title, report)),
            Err(_) => report("target-promql", title),
        }
    }
}

fn lint_selector(selector: &Selector, title: &str, report: &mut impl FnMut(&'static str, &str)) {
    for (rule, label, value) in [("target-job", "job", "$job"), ("target-instance", "instance", "$instance")]
    {
        if !selector
            .matchers
            .iter()
            .any(|(name, op, is)| (name.as_str(), *op, is.as_str()) == (label, "=~", value))
        {
            report(rule, title);
        }
    }
    let is_rate = matches!(selector.function, Some("rate" | "irate" | "increase"));
    if is_rate && selector.range != Some(RATE_INTERVAL) {
        report("target-rate-interval", title);
    }
    if selector.name.ends_with("_total") && !is_rate {
        report("target-counter-agg", title);
    }
}

/// Two exporters on one database publish the same numbers, which must not be added up.
#[test]
fn values_of_the_database_are_taken_from_one_exporter() {
    let declared = declared();
    let is_of_database = |name: &str| {
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        declared.iter().any(|one| one.is_of_database && (one.name == name || one.name == family))
    };
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            for target in panel["targets"].as_array().unwrap() {
                for selector in Query::parse(target["expr"].as_str().unwrap()).unwrap().selectors {
                    assert!(
                        selector.is_of_one_exporter || !is_of_database(&selector.name),
                        "{}, {}: {} counts twice with two exporters",
                        dashboard.file,
                        panel["title"],
                        selector.name
                    );
                }
            }
        }
    }
}
