//! Reads the dashboards and the rules of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

pub(crate) struct Dashboard {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Dashboard {
    pub(crate) fn uid(&self) -> &str {
        self.json["uid"].as_str().unwrap()
    }

    /// Returns the panels without the rows, which only divide.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &Value> {
        self.json["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
    }

    pub(crate) fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().unwrap()
    }

    pub(crate) fn annotations(&self) -> impl Iterator<Item = &Value> {
        self.json["annotations"]["list"].as_array().unwrap().iter().filter(|one| one["builtIn"].is_null())
    }
}

pub(crate) fn dashboards() -> Vec<Dashboard> {
    let dashboards: Vec<Dashboard> = files("dashboards", "json")
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let json = serde_json::from_str(&text).unwrap();
            Dashboard { file: path.file_name().unwrap().to_string_lossy().into_owned(), text, json }
        })
        .collect();
    assert_eq!(dashboards.len(), 4);
    dashboards
}

#[derive(Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) record: Option<String>,
    pub(crate) expr: String,
    #[serde(default)]
    pub(crate) labels: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct RulesFile {
    groups: Vec<Group>,
}

/// Returns the rules of every rules file in their order.
pub(crate) fn rules() -> Vec<Rule> {
    files("alerts", "rules.yml")
        .into_iter()
        .flat_map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            serde_saphyr::from_str::<RulesFile>(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
                .groups
        })
        .flat_map(|group| group.rules)
        .collect()
}

pub(crate) fn text(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(&format!(".{ending}")))
        .collect();
    paths.sort();
    paths
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
