//! Why a DAG does not come to its end: each job that others wait for and that will not, or not yet, be completed.

use std::cmp::Reverse;

use serde_json::Value;

use super::graph::Graph;
use super::job::Job;
use crate::terminal::columns::{Column, number, text, time};

pub(super) const COLUMNS: &[Column] = &[
    text("reason"),
    text("job"),
    text("queue"),
    time("since"),
    time("until"),
    number("jobs_waiting"),
    text("detail"),
];

/// A job that waits for one which is not of its DAG.
pub(super) struct Outside {
    pub(super) job: usize,
    pub(super) parent: String,
    /// None where that job has no row.
    pub(super) state: Option<String>,
}

/// Who waits for whom.
pub(super) struct Edges {
    /// Among the DAG's jobs.
    pub(super) graph: Graph,
    pub(super) outside: Vec<Outside>,
}

/// One reason; `job` is the one that is in the way.
#[derive(Default)]
struct Blocker {
    reason: String,
    job: Option<usize>,
    since: Value,
    until: Value,
    /// None where nobody knows who waits for whom.
    waiting: Option<usize>,
    detail: Option<String>,
}

/// All of them, those before others that keep more jobs waiting; none where no job is left to wait. Without the edges
/// those that need none: not what is deferred, for it may wait for others as well.
pub(super) fn all(dag_state: Option<&str>, jobs: &[Job], edges: Option<&Edges>) -> Vec<Vec<Value>> {
    let unfinished = jobs.iter().filter(|job| is_waiting(&job.state) || job.state == "active").count();
    if unfinished == 0 {
        return Vec::new();
    }
    let waits: Vec<bool> = jobs.iter().map(|job| is_waiting(&job.state)).collect();
    let mut blockers: Vec<Blocker> = Vec::new();
    blockers.extend(dag_state.and_then(|state| left_behind(state, unfinished)));
    blockers.extend(edges.and_then(|edges| circle(jobs, &edges.graph, &waits)));
    for (place, job) in jobs.iter().enumerate() {
        let blocker = Blocker { job: Some(place), ..Blocker::default() };
        let waiting = || edges.map(|edges| edges.graph.waiting_for(place, &waits));
        match job.state.as_str() {
            reason @ ("failed" | "expired" | "cancelled") => {
                blockers.push(Blocker { reason: reason.to_owned(), waiting: waiting(), ..blocker });
            }
            _ if job.is_stuck => blockers.push(Blocker {
                reason: "stuck".to_owned(),
                since: job.started_on.clone(),
                waiting: waiting(),
                ..blocker
            }),
            _ if !job.deferred_until.is_null() && edges.is_some_and(|edges| is_free(place, jobs, edges)) => {
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
    blockers.extend(edges.into_iter().flat_map(|edges| leading_out(edges, &waits)));
    blockers.sort_by_key(|blocker| Reverse(blocker.waiting));
    blockers.into_iter().map(|blocker| row(blocker, jobs)).collect()
}

/// Jobs whose way is barred by one that is not of the DAG.
fn leading_out(edges: &Edges, waits: &[bool]) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    for Outside { job, parent, state } in edges.outside.iter().filter(|outside| waits[outside.job]) {
        let (reason, detail) = match state.as_deref() {
            None => ("parent_missing", format!("waits for {parent}, which has no row")),
            Some(state) if is_satisfied(state) => continue,
            Some(state) => ("other_dag", format!("waits for {parent}, which is {state}")),
        };
        let waiting = Some(edges.graph.waiting_for(*job, waits) + 1);
        let (reason, detail) = (reason.to_owned(), Some(detail));
        blockers.push(Blocker { reason, job: Some(*job), waiting, detail, ..Blocker::default() });
    }
    blockers
}

fn row(blocker: Blocker, jobs: &[Job]) -> Vec<Value> {
    let job = blocker.job.map(|place| &jobs[place]);
    vec![
        blocker.reason.into(),
        job.map(|job| job.id.clone()).into(),
        job.map(|job| job.queue.clone()).into(),
        blocker.since,
        blocker.until,
        blocker.waiting.into(),
        blocker.detail.into(),
    ]
}

/// The running scheduler takes no more jobs of a DAG that is finished. When the gateway restarts it takes up every DAG
/// with waiting jobs again, whatever the DAG's state.
fn left_behind(dag_state: &str, unfinished: usize) -> Option<Blocker> {
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

fn circle(jobs: &[Job], graph: &Graph, waits: &[bool]) -> Option<Blocker> {
    let circle = graph.circle().filter(|circle| circle.iter().any(|&job| waits[job]))?;
    let ids: Vec<&str> = circle.iter().take(10).map(|&job| jobs[job].id.as_str()).collect();
    let more = if circle.len() > ids.len() { " …" } else { "" };
    Some(Blocker {
        reason: "cycle".to_owned(),
        job: circle.first().copied(),
        waiting: Some(graph.waiting_for(circle[0], waits) + usize::from(waits[circle[0]])),
        detail: Some(format!("{} jobs wait for each other: {}{more}", circle.len(), ids.join(" → "))),
        ..Blocker::default()
    })
}

/// Whether nothing but time is in a job's way.
fn is_free(job: usize, jobs: &[Job], edges: &Edges) -> bool {
    let of_others = edges.outside.iter().filter(|outside| outside.job == job);
    edges.graph.parents(job).iter().all(|&parent| is_satisfied(&jobs[parent].state))
        && of_others.filter_map(|outside| outside.state.as_deref()).all(is_satisfied)
}

fn is_waiting(state: &str) -> bool {
    matches!(state, "created" | "retry")
}

/// Whether jobs behind one in this state can run.
fn is_satisfied(state: &str) -> bool {
    !matches!(state, "created" | "retry" | "active" | "expired" | "cancelled" | "failed")
}
