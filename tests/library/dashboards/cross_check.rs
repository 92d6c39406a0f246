//! Dashboards and rules query only published families and labels, and use every published family.

use std::collections::{BTreeMap, BTreeSet};

use crate::dashboards::declared::{Declared, TARGET_LABELS, declared, series};
use crate::dashboards::files::{Dashboard, Rule, dashboards, rules};
use crate::dashboards::promql::Query;

/// Families that no dashboard and no rule uses, with the reason.
const DELIBERATELY_UNUSED: [(&str, &str); 0] = [];

/// A query, its place, and the labels in its legend.
struct Queried {
    place: String,
    query: Query,
    legend: Vec<String>,
    /// Name and added labels of the series that a rule records.
    recorded: Option<(String, BTreeSet<String>)>,
}

/// Parses the queries of all dashboards and rules.
fn queried() -> Vec<Queried> {
    let mut queried = of_dashboards(&dashboards());
    for Rule { record, expr, labels, .. } in rules() {
        queried.push(Queried {
            place: record.clone().unwrap_or_else(|| "an alert".to_owned()),
            query: Query::parse(&expr).unwrap(),
            legend: Vec::new(),
            recorded: record.map(|record| (record, labels.into_keys().collect())),
        });
    }
    queried
}

fn of_dashboards(dashboards: &[Dashboard]) -> Vec<Queried> {
    let mut queried = Vec::new();
    for dashboard in dashboards {
        let mut add = |what: &str, expr: &str, texts: &[&str]| {
            queried.push(Queried {
                place: format!("{}, {what}", dashboard.file),
                query: Query::parse(expr).unwrap(),
                legend: texts.iter().flat_map(|text| placeholders(text)).collect(),
                recorded: None,
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
            queried.push(Queried { place, query, legend: Vec::new(), recorded: None });
        }
    }
    queried
}

/// Returns selector and label of a `label_values` query, a function that only Grafana knows.
pub(crate) fn label_values(query: &str) -> (&str, &str) {
    let arguments = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (selector, label) = arguments.rsplit_once(',').unwrap();
    (selector.trim(), label.trim())
}

/// Returns the labels in `{{label}}`.
fn placeholders(text: &str) -> Vec<String> {
    text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim().to_owned()).collect()
}

/// Describes each mismatch between the queries and the families.
fn misfits(declared: &[Declared], queried: &[Queried]) -> Vec<String> {
    let mut known = series(declared);
    let mut used = BTreeSet::new();
    let mut misfits = Vec::new();
    for Queried { query, recorded, .. } in queried {
        if let Some((record, added)) = recorded {
            // A recorded series has at most the labels of its sources. It has no family, because its sources
            // already count as used.
            let mut labels = added.clone();
            let below = query.selectors.iter().filter_map(|selector| known.get(&selector.name));
            labels.extend(below.flat_map(|(labels, _)| labels.iter().cloned()));
            known.insert(record.clone(), (labels, String::new()));
        }
    }
    for Queried { place, query, legend, .. } in queried {
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
        let names = query.selectors.iter().map(|selector| selector.name.clone()).collect();
        missing(&known, legend, &names, place, &mut misfits);
    }
    for family in declared {
        let is_excused = DELIBERATELY_UNUSED.iter().any(|(name, _)| *name == family.name);
        if used.contains(&family.name) == is_excused {
            misfits.push(format!(
                "{}: {}",
                family.name,
                if is_excused { "used, though listed as unused" } else { "unused" }
            ));
        }
    }
    misfits
}

/// Adds a mismatch for each label that none of these series has.
fn missing(
    known: &BTreeMap<String, (BTreeSet<String>, String)>,
    labels: &[String],
    over: &BTreeSet<String>,
    place: &str,
    misfits: &mut Vec<String>,
) {
    // Rules also sum expressions without a series, such as vector(0).
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
fn dashboards_and_rules_use_exactly_the_published_families() {
    let misfits = misfits(&declared(), &queried());
    assert!(misfits.is_empty(), "\n{}", misfits.join("\n"));
}

/// The check must notice the renaming of any family.
#[test]
fn renamed_family_is_reported() {
    let queried = queried();
    for (place, family) in declared().iter().enumerate() {
        let mut renamed = declared();
        renamed[place].name.push_str("_renamed");
        assert!(!misfits(&renamed, &queried).is_empty(), "renaming {} is not reported", family.name);
    }
}

#[test]
fn missing_label_is_reported() {
    let queried = queried();
    for label in ["queue", "state", "collector", "pace", "sla", "table"] {
        let mut without = declared();
        for family in &mut without {
            family.labels.remove(label);
        }
        let misfits = misfits(&without, &queried);
        assert!(misfits.iter().any(|misfit| misfit.ends_with(&format!("label {label}"))), "{label}");
    }
}
