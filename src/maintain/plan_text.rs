//! The text of a plan: its jobs by queue and state, their sum, and what is kept.

use super::plan::{Plan, describe};
use super::tally::Tally;
use crate::terminal::columns::{Column, Rows, number, state, text};
use crate::terminal::plural::counted;
use crate::terminal::table::{Style, table};

const COLUMNS: &[Column] = &[text("queue"), state("state"), number("jobs"), text("oldest"), text("newest")];

/// Returns a table of jobs by queue and state; empty text if there are none.
pub(super) fn tally_table(tally: &Tally) -> String {
    let rows = tally.iter().map(|(queue, state, count)| {
        vec![
            queue.into(),
            state.into(),
            count.jobs.into(),
            count.oldest.clone().into(),
            count.newest.clone().into(),
        ]
    });
    let rows = Rows { rows: rows.collect(), more: false };
    table(COLUMNS, &rows, Style::Plain)
}

/// Returns the text of a whole plan.
pub(super) fn plan_text(plan: &Plan) -> String {
    let mut parts = vec![tally_table(&plan.tally)];
    parts.push(format!("In all {}.", describe(&plan.units)));
    if !plan.kept.is_empty() {
        let kept = plan.kept.iter().map(|(reason, kept)| {
            format!("  {} of {}: {reason}", counted(kept.jobs, "job"), counted(kept.units, "DAG"))
        });
        parts.push(format!("Old enough, but kept:\n{}", kept.collect::<Vec<_>>().join("\n")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}
