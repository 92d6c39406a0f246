//! Properties of Grafana that only show when a dashboard is drawn (`make pictures`).
//!
//! A tile without data gets its lowest colour, which is green. A logarithmic axis shows `noValue` at each tick that it
//! omits. Annotations with a duration cover each other.

use serde_json::Value;

use crate::dashboards::files::dashboards;

/// During an outage of the database most tiles have no data, and none of them may be green.
#[test]
fn coloured_tile_without_data_is_not_green() {
    for dashboard in dashboards() {
        for panel in dashboard.panels().filter(|panel| panel["options"]["colorMode"] == "background_solid") {
            let defaults = &panel["fieldConfig"]["defaults"];
            let mappings = defaults["mappings"].as_array().map(Vec::as_slice).unwrap_or_default();
            let without_data = mappings.iter().find(|mapping| mapping["options"]["match"] == "null");
            let result = &without_data.unwrap_or_else(|| panic!("{}", panel["title"]))["options"]["result"];
            let green = &Value::from("#009E73");
            assert!(result["color"].is_string() && result["color"] != *green, "{}", panel["title"]);
            assert!(defaults["noValue"].is_null(), "{}: it would replace the mapping's text", panel["title"]);
        }
    }
}

#[test]
fn logarithmic_axis_has_no_text_for_missing_values() {
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
