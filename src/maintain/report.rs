//! What a clean-up tells: the plan before it, the sums after it.

use super::plan::{Plan, Unit};
use crate::terminal::columns::{Column, Rows, number, state, text};
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

/// `12 jobs of 3 DAGs and 2 without a DAG`.
pub(super) fn units(units: &[Unit]) -> String {
    let jobs = counted(units.iter().map(|unit| unit.jobs).sum(), "job");
    let dags = units.iter().filter(|unit| unit.is_dag).count();
    match (dags, units.len() - dags) {
        (0, _) => jobs,
        (_, 0) => format!("{jobs} of {}", counted(dags as u64, "DAG")),
        (_, singles) => format!("{jobs} of {} and {singles} without a DAG", counted(dags as u64, "DAG")),
    }
}

/// `1 batch`, `2 batches`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = match (count, noun.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{plural}")
}
