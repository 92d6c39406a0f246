//! Prints the results of the cases as a table in production time, and compares it with the table in docs/alerts.md.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use regex::Regex;

use crate::alerting::cases::{Alert, Case};
use crate::alerting::time_scale::TimeScale;

/// Notifications of a case: time from the fault to each alert, and from the repair to the last end.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) fired: BTreeMap<Alert, Duration>,
    pub(crate) resolved: Duration,
}

const BEGIN: &str = "<!-- fault matrix: begin -->\n";
const END: &str = "<!-- fault matrix: end -->";

/// Returns whether `UPDATE=1` is set, so that docs/alerts.md is rewritten.
pub(crate) fn writes_page() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Prints the table. Writes it into docs/alerts.md if [`writes_page`]; otherwise asserts that the page has the same rows,
/// except for the times.
pub(crate) fn publish(outcomes: &[(&Case, Outcome)], scale: TimeScale) {
    let table = table(outcomes, scale);
    eprintln!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (inside, after) = rest.split_once(END).unwrap();
    if writes_page() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        let times = Regex::new(r"(?: after)? \d+ (?:min|s)\b").unwrap();
        assert_eq!(
            times.replace_all(inside, ""),
            times.replace_all(&table, ""),
            "fault matrix of docs/alerts.md; MATRIX=1 UPDATE=1 cargo test --test program alerting writes it"
        );
    }
}

fn table(outcomes: &[(&Case, Outcome)], scale: TimeScale) -> String {
    let in_words = |here: Duration| in_words(scale.in_production(here));
    let mut table = "| what goes wrong | page | ticket | over |\n|---|---|---|---|\n".to_owned();
    for (case, outcome) in outcomes {
        let cell = |alerts: &[Alert]| {
            let alert = |alert: &Alert| format!("{} after {}", alert.0, in_words(outcome.fired[alert]));
            alerts.iter().map(alert).collect::<Vec<_>>().join(", ")
        };
        let over = match outcome.fired.len() {
            0 => String::new(),
            _ if case.is_transient => format!("by itself after {}", in_words(outcome.resolved)),
            _ => format!("after {}", in_words(outcome.resolved)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {} | {} | {} | {over} |", case.what, cell(case.pages), cell(case.tickets));
    }
    table
}

/// Formats a duration like `2 min 10 s`.
fn in_words(duration: Duration) -> String {
    let seconds = (duration + Duration::from_millis(500)).as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
