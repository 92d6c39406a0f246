//! What only shows when a dashboard is drawn: Grafana gives a tile without data its lowest colour, which is green,
//! writes `noValue` beside each tick that a logarithmic axis leaves out, and lays one tint upon the other for
//! annotations that last. `make pictures` draws them.

use serde_json::Value;

use crate::dashboards::files::dashboards;

/// While the database is away most tiles have no data; none of them may say that all is well.
#[test]
fn a_coloured_tile_without_data_has_a_colour_that_says_so() {
    for dashboard in dashboards() {
        for panel in dashboard.panels().filter(|panel| panel["options"]["colorMode"] == "background_solid") {
            let defaults = &panel["fieldConfig"]["defaults"];
            let mappings = defaults["mappings"].as_array().map(Vec::as_slice).unwrap_or_default();
            let of_nothing = mappings.iter().find(|mapping| mapping["options"]["match"] == "null");
            let result = &of_nothing.unwrap_or_else(|| panic!("{}", panel["title"]))["options"]["result"];
            let green = &Value::from("#009E73");
            assert!(result["color"].is_string() && result["color"] != *green, "{}", panel["title"]);
            assert!(defaults["noValue"].is_null(), "{}: it would replace the mapping's text", panel["title"]);
        }
    }
}

#[test]
fn a_logarithmic_axis_has_no_text_for_missing_values() {
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let defaults = &panel["fieldConfig"]["defaults"];
            if defaults["custom"]["scaleDistribution"]["type"] == "log" {
                assert!(defaults["noValue"].is_null(), "{}, {}", dashboard.file, panel["title"]);
            }
        }
    }
}

#[test]
fn alert_annotation_marks_only_the_start() {
    for dashboard in dashboards() {
        let starts = dashboard.annotations().find(|one| one["name"] == "Firing alerts").unwrap();
        let firing = r#"ALERTS{alertname=~"Marie.*", alertstate="firing"}"#;
        let query = format!("max by (alertname, queue, severity) ({firing} unless {firing} offset 1m)");
        assert_eq!(starts["expr"], query.as_str(), "{}", dashboard.file);
        assert_eq!(starts["step"], "60s", "one step is one mark");
    }
}
