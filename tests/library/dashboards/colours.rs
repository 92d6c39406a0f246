//! Each state has one colour in all panels.
//!
//! The colours are a grey and Okabe and Ito's palette, which people with any colour vision can distinguish.

use std::collections::BTreeMap;

use crate::dashboards::files::dashboards;

const PALETTE: [&str; 8] =
    ["#56B4E9", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#F0E442", "#999999"];
const STATES: [&str; 8] =
    ["created", "retry", "active", "completed", "failed", "expired", "cancelled", "skipped"];

#[test]
fn each_state_has_one_colour_of_its_own() {
    let mut colours: BTreeMap<String, String> = BTreeMap::new();
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            for rule in panel["fieldConfig"]["overrides"].as_array().unwrap() {
                let properties = rule["properties"].as_array().unwrap();
                let Some(colour) = properties.iter().find(|property| property["id"] == "color") else {
                    continue;
                };
                let colour = colour["value"]["fixedColor"].as_str().unwrap();
                assert!(PALETTE.contains(&colour), "{colour} in {}", panel["title"]);
                let name = rule["matcher"]["options"].as_str().unwrap();
                let before = colours.entry(name.to_owned()).or_insert_with(|| colour.to_owned());
                assert_eq!(before, colour, "{name} in {}, {}", dashboard.file, panel["title"]);
            }
        }
    }
    let states: BTreeMap<&str, &str> =
        STATES.iter().map(|state| (colours[*state].as_str(), *state)).collect();
    assert_eq!(states.len(), STATES.len(), "two states share a colour: {colours:?}");
}

#[test]
fn panel_by_state_has_the_colours_of_the_states() {
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let targets = panel["targets"].as_array().unwrap();
            if targets.iter().any(|target| target["legendFormat"] == "{{state}}") {
                let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
                let is_coloured = |state: &&str| {
                    overrides.iter().any(|rule| rule["matcher"]["options"].as_str() == Some(state))
                };
                let coloured: Vec<&str> = STATES.iter().copied().filter(|state| is_coloured(state)).collect();
                assert!(coloured.len() >= 2, "{}, {}", dashboard.file, panel["title"]);
            }
        }
    }
}
