//! What blocks a DAG: each job that others wait for and that will not be completed, or cannot be completed yet.
//!
//! `show` gives the jobs and the edges between them; the blockers are the rows of its section `blocked_by`.

use std::cmp::Reverse;

use serde_json::Value;

use super::graph::Graph;
use super::job::{Job, State};
use crate::terminal::columns::{Column, Rows, number, text, time};

pub(super) const COLUMNS: &[Column] = &[
    text("reason"),
    text("job"),
    text("queue"),
    time("since"),
    time("until"),
    number("jobs_waiting"),
    text("detail"),
];

/// An edge from a job to a parent outside of its DAG.
pub(super) struct OutsideEdge {
    pub(super) job: usize,
    pub(super) parent: String,
    /// `None` if the parent has no row.
    pub(super) state: Option<State>,
}

/// The edges from the jobs of a DAG to the jobs that they wait for.
pub(super) struct Edges {
    /// Those between jobs of the DAG.
    pub(super) graph: Graph,
    pub(super) outside: Vec<OutsideEdge>,
}

/// One reason, and the job that causes it.
#[derive(Default)]
struct Blocker {
    reason: String,
    job: Option<usize>,
    since: Option<String>,
    until: Option<String>,
    /// How many jobs wait for it; `None` if the edges are not known.
    waiting: Option<usize>,
    detail: Option<String>,
}

/// Returns the blockers, those that keep most jobs waiting first. A finished DAG has none.
///
/// Without edges, the blockers that follow from edges are left out. A deferred job is one of these, because it may wait
/// for another job as well.
pub(super) fn find(dag_state: Option<&str>, jobs: &[Job], edges: Option<&Edges>) -> Rows {
    let unfinished = jobs.iter().filter(|job| job.state.is_unfinished()).count();
    if unfinished == 0 {
        return Rows::default();
    }
    let waits: Vec<bool> = jobs.iter().map(|job| job.state.is_waiting()).collect();
    let mut blockers: Vec<Blocker> = Vec::new();
    blockers.extend(dag_state.and_then(|state| finished_dag(state, unfinished)));
    blockers.extend(edges.and_then(|edges| cycle(jobs, &edges.graph, &waits)));
    for (place, job) in jobs.iter().enumerate() {
        let blocker = Blocker { job: Some(place), ..Blocker::default() };
        let waiting = || edges.map(|edges| edges.graph.waiting_for(place, &waits));
        match job.state.0.as_str() {
            reason @ ("failed" | "expired" | "cancelled") => {
                blockers.push(Blocker { reason: reason.to_owned(), waiting: waiting(), ..blocker });
            }
            _ if job.is_stuck() => blockers.push(Blocker {
                reason: "stuck".to_owned(),
                since: job.started_on.clone(),
                waiting: waiting(),
                ..blocker
            }),
            _ if job.deferred_until.is_some()
                && edges.is_some_and(|edges| has_satisfied_parents(place, jobs, edges)) =>
            {
                blockers.push(Blocker {
                    reason: "deferred".to_owned(),
                    until: job.deferred_until.clone(),
                    waiting: waiting(),
                    ..blocker
                });
            }
            _ => {}
        }
    }
    blockers.extend(edges.into_iter().flat_map(|edges| outside_parents(edges, &waits)));
    blockers.sort_by_key(|blocker| Reverse(blocker.waiting));
    Rows { rows: blockers.into_iter().map(|blocker| blocker.into_row(jobs)).collect(), more: false }
}

/// Returns a blocker for each waiting job whose parent outside of the DAG is unfinished or has no row.
fn outside_parents(edges: &Edges, waits: &[bool]) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    for OutsideEdge { job, parent, state } in edges.outside.iter().filter(|edge| waits[edge.job]) {
        let (reason, detail) = match state {
            None => ("parent_missing", format!("waits for {parent}, which has no row")),
            Some(state) if state.is_satisfied() => continue,
            Some(State(state)) => ("other_dag", format!("waits for {parent}, which is {state}")),
        };
        let waiting = Some(edges.graph.waiting_for(*job, waits) + 1);
        let (reason, detail) = (reason.to_owned(), Some(detail));
        blockers.push(Blocker { reason, job: Some(*job), waiting, detail, ..Blocker::default() });
    }
    blockers
}

impl Blocker {
    /// Returns the values of [`COLUMNS`].
    fn into_row(self, jobs: &[Job]) -> Vec<Value> {
        let job = self.job.map(|place| &jobs[place]);
        vec![
            self.reason.into(),
            job.map(|job| job.id.clone()).into(),
            job.and_then(|job| job.queue.clone()).into(),
            self.since.into(),
            self.until.into(),
            self.waiting.into(),
            self.detail.into(),
        ]
    }
}

/// Returns a blocker if the DAG is finished although jobs are not.
///
/// The running scheduler takes no more jobs of a finished DAG. When the gateway restarts, it takes up each DAG with waiting
/// jobs again, in whichever state the DAG is.
fn finished_dag(dag_state: &str, unfinished: usize) -> Option<Blocker> {
    let is_finished = matches!(dag_state, "completed" | "failed" | "cancelled" | "expired");
    is_finished.then(|| Blocker {
        reason: "dag_finished".to_owned(),
        waiting: Some(unfinished),
        detail: Some(format!(
            "the DAG is {dag_state}: the jobs left behind in it run only if the gateway restarts"
        )),
        ..Blocker::default()
    })
}

fn cycle(jobs: &[Job], graph: &Graph, waits: &[bool]) -> Option<Blocker> {
    const SHOWN: usize = 10;
    let cycle = graph.cycle().filter(|cycle| cycle.iter().any(|&job| waits[job]))?;
    let first = *cycle.first()?;
    let ids: Vec<&str> = cycle.iter().take(SHOWN).map(|&job| jobs[job].id.as_str()).collect();
    let more = if cycle.len() > ids.len() { " …" } else { "" };
    Some(Blocker {
        reason: "cycle".to_owned(),
        job: Some(first),
        waiting: Some(graph.waiting_for(first, waits) + usize::from(waits[first])),
        detail: Some(format!("{} jobs wait for each other: {}{more}", cycle.len(), ids.join(" → "))),
        ..Blocker::default()
    })
}

/// Whether a job waits for no other job. An outside parent without a row does not count; it is a blocker of its own.
fn has_satisfied_parents(job: usize, jobs: &[Job], edges: &Edges) -> bool {
    let outside = edges.outside.iter().filter(|edge| edge.job == job);
    edges.graph.parents(job).iter().all(|&parent| jobs[parent].state.is_satisfied())
        && outside.filter_map(|edge| edge.state.as_ref()).all(State::is_satisfied)
}
