//! Nothing is queried that the code does not publish, and nothing is published that nobody looks at.

use std::collections::{BTreeMap, BTreeSet};

use crate::dashboards::declared::{Declared, TARGET_LABELS, declared, series};
use crate::dashboards::files::{Dashboard, Rule, dashboards, rules};
use crate::dashboards::promql::Query;

/// Families that no dashboard shows and no rule uses, and why.
const DELIBERATELY_UNUSED: [(&str, &str); 0] = [];

/// A query, where it stands, and the labels that its legend names.
struct Queried {
    place: String,
    query: Query,
    legend: Vec<String>,
}

fn queried(dashboards: &[Dashboard]) -> Vec<Queried> {
    let mut queried = Vec::new();
    for dashboard in dashboards {
        let mut add = |what: &str, expr: &str, texts: &[&str]| {
            queried.push(Queried {
                place: format!("{}, {what}", dashboard.file),
                query: Query::parse(expr).unwrap(),
                legend: texts.iter().flat_map(|text| placeholders(text)).collect(),
            });
        };
        for panel in dashboard.panels() {
            for target in panel["targets"].as_array().unwrap() {
                let legend = target["legendFormat"].as_str().unwrap();
                add(panel["title"].as_str().unwrap(), target["expr"].as_str().unwrap(), &[legend]);
            }
        }
        for annotation in dashboard.annotations() {
            let texts = ["titleFormat", "textFormat"].map(|key| annotation[key].as_str().unwrap());
            add(annotation["name"].as_str().unwrap(), annotation["expr"].as_str().unwrap(), &texts);
        }
        for variable in dashboard.variables().iter().filter(|variable| variable["type"] == "query") {
            let (selector, label) = label_values(variable["query"]["query"].as_str().unwrap());
            let mut query = Query::parse(selector).unwrap();
            let over = query.selectors.iter().map(|selector| selector.name.clone()).collect();
            query
                .groupings
                .push(crate::dashboards::promql::Grouping { labels: vec![label.to_owned()], over });
            let place = format!("{}, variable {}", dashboard.file, variable["name"]);
            queried.push(Queried { place, query, legend: Vec::new() });
        }
    }
    queried
}

/// Grafana's own function, which Prometheus does not know.
pub(crate) fn label_values(query: &str) -> (&str, &str) {
    let arguments = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (selector, label) = arguments.rsplit_once(',').unwrap();
    (selector.trim(), label.trim())
}

/// The labels in `{{label}}`.
fn placeholders(text: &str) -> Vec<String> {
    text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim().to_owned()).collect()
}

/// What does not fit between the queries and the families; empty when all is well.
fn misfits(declared: &[Declared], dashboards: &[Dashboard], rules: &[Rule]) -> Vec<String> {
    let mut known = series(declared);
    let mut used = BTreeSet::new();
    let mut misfits = Vec::new();
    let mut queried = queried(dashboards);
    for rule in rules {
        let query = Query::parse(&rule.expr).unwrap();
        if let Some(record) = &rule.record {
            // Its labels are at most those of what it is made of; the family stays empty, for what it is made
            // of is counted as used already.
            let mut labels: BTreeSet<String> = rule.labels.keys().cloned().collect();
            let below = query.selectors.iter().filter_map(|selector| known.get(&selector.name));
            labels.extend(below.flat_map(|(labels, _)| labels.iter().cloned()));
            known.insert(record.clone(), (labels, String::new()));
        }
        let place = rule.record.clone().unwrap_or_else(|| "an alert".to_owned());
        queried.push(Queried { place, query, legend: Vec::new() });
    }
    for Queried { place, query, legend } in &queried {
        for selector in &query.selectors {
            let Some((labels, family)) = known.get(&selector.name) else {
                misfits.push(format!("{place}: nothing publishes {}", selector.name));
                continue;
            };
            used.insert(family.clone());
            for (label, ..) in &selector.matchers {
                if !labels.contains(label) {
                    misfits.push(format!("{place}: {} has no label {label}", selector.name));
                }
            }
        }
        for grouping in &query.groupings {
            missing(&known, &grouping.labels, &grouping.over, place, &mut misfits);
        }
        let all = query.selectors.iter().map(|selector| selector.name.clone()).collect();
        missing(&known, legend, &all, place, &mut misfits);
    }
    for family in declared {
        let is_excused = DELIBERATELY_UNUSED.iter().any(|(name, _)| *name == family.name);
        if used.contains(&family.name) == is_excused {
            misfits.push(format!(
                "{}: {}",
                family.name,
                if is_excused { "used after all" } else { "unused" }
            ));
        }
    }
    misfits
}

/// Labels that none of these series has.
fn missing(
    known: &BTreeMap<String, (BTreeSet<String>, String)>,
    labels: &[String],
    over: &BTreeSet<String>,
    place: &str,
    misfits: &mut Vec<String>,
) {
    // Rules also sum what has no series of its own, such as vector(0).
    if over.is_empty() {
        return;
    }
    for label in labels {
        let has = |name: &String| known.get(name).is_some_and(|(labels, _)| labels.contains(label));
        if !TARGET_LABELS.contains(&label.as_str()) && !over.iter().any(has) {
            misfits.push(format!("{place}: no series there has the label {label}"));
        }
    }
}

#[test]
fn dashboards_and_rules_use_exactly_the_published_names() {
    let misfits = misfits(&declared(), &dashboards(), &rules());
    assert!(misfits.is_empty(), "\n{}", misfits.join("\n"));
}

/// Renaming any family, or any of its labels, must be noticed.
#[test]
fn a_renamed_family_does_not_pass() {
    let (dashboards, rules) = (dashboards(), rules());
    for (place, family) in declared().iter().enumerate() {
        let mut renamed = declared();
        renamed[place].name.push_str("_renamed");
        assert!(!misfits(&renamed, &dashboards, &rules).is_empty(), "{} can be renamed unseen", family.name);
    }
}

#[test]
fn a_label_that_is_not_there_does_not_pass() {
    let (dashboards, rules) = (dashboards(), rules());
    for label in ["queue", "state", "collector", "lane", "sla", "table"] {
        let mut without = declared();
        for family in &mut without {
            family.labels.remove(label);
        }
        let misfits = misfits(&without, &dashboards, &rules);
        assert!(misfits.iter().any(|misfit| misfit.ends_with(&format!("label {label}"))), "{label}");
    }
}
