//! What a clean-up tells: the plan before it, the sums after it.

use super::plan::Plan;
use crate::terminal::columns::{Column, Rows, number, state, text};
use crate::terminal::plural::counted;
use crate::terminal::table::{Style, table};

const COLUMNS: &[Column] = &[text("queue"), state("state"), number("jobs"), text("oldest"), text("newest")];

/// A table of the plan's jobs by queue and state.
pub(super) fn jobs(plan: &Plan) -> String {
    let rows = plan.parts.iter().map(|((queue, state), part)| {
        vec![
            queue.clone().into(),
            state.clone().into(),
            part.jobs.into(),
            part.oldest.clone().into(),
            part.newest.clone().into(),
        ]
    });
    let rows = Rows { rows: rows.collect(), more: false };
    table(COLUMNS, &rows, Style::Plain)
}

/// The plan's jobs by queue and state, and what stays.
pub(super) fn plan(plan: &Plan) -> String {
    let mut parts = vec![jobs(plan)];
    parts.push(format!("In all {}.", plan.sum()));
    if !plan.kept.is_empty() {
        let kept = plan.kept.iter().map(|(reason, (units, jobs))| {
            format!("  {} of {}: {reason}", counted(*jobs, "job"), counted(*units, "DAG"))
        });
        parts.push(format!("As old, and staying where they are:\n{}", kept.collect::<Vec<_>>().join("\n")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}
