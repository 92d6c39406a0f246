//! Independent oracle: the metric contract computed in Rust over plain rows, without the queries.
//!
//! Covers the numbers for which the maintenance page has no query.

mod dags;
mod limits;
mod past;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use marie_exporter::demo::shape::Shape;
use sqlx::types::Uuid;

use crate::queries::rows::{Dag, Job};
use crate::queries::scheduler::Series;

/// All rows and settings from which the numbers are computed.
pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) now: i64,
    pub(crate) jobs: Vec<Job>,
    pub(crate) dags: Vec<Dag>,
    /// Names in the table `queue`.
    pub(crate) queue_rows: Vec<String>,
    pub(crate) stuck_after: BTreeMap<String, i64>,
    pub(crate) progress_limit: usize,
}

const UNFINISHED: [&str; 3] = ["created", "retry", "active"];

impl World {
    pub(crate) fn states(&self) -> Vec<&'static str> {
        let mut states = vec!["created", "retry", "active", "completed", "expired", "cancelled", "failed"];
        if matches!(self.shape, Shape::New | Shape::Page) {
            states.push("skipped");
        }
        states
    }

    /// Returns the queues of the table and of the jobs, without empty twins.
    pub(crate) fn queues(&self) -> BTreeSet<&str> {
        let queues_of_jobs: BTreeSet<&str> = self.jobs.iter().map(|job| job.queue.as_str()).collect();
        let is_twin = |name: &str| name.starts_with('$') && name.ends_with("_dlq");
        let queues_of_table = self.queue_rows.iter().map(String::as_str);
        let rows = queues_of_table.filter(|name| !is_twin(name) || queues_of_jobs.contains(name));
        rows.chain(queues_of_jobs.iter().copied()).collect()
    }

    fn unfinished(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| UNFINISHED.contains(&job.state.as_str()))
    }

    fn active(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.state == "active")
    }

    fn parents<'a>(&'a self, job: &'a Job) -> impl Iterator<Item = &'a Job> {
        self.jobs.iter().filter(|other| job.parents.contains(&other.id))
    }

    fn dag_is_finished(&self, id: Option<Uuid>) -> bool {
        let dag = self.dags.iter().find(|dag| Some(dag.id) == id);
        let state = dag.and_then(|dag| dag.state.as_deref());
        state.is_some_and(|state| ["completed", "failed", "cancelled", "expired"].contains(&state))
    }

    fn unix(&self, offset: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53 until the year 2255")]
        let micros = (self.now + offset) as f64;
        micros / 1e6
    }

    /// Inserts the number of jobs of each queue, 0 included.
    fn count<'a>(&self, series: &mut Series, family: &'static str, jobs: impl Iterator<Item = &'a Job>) {
        for queue in self.queues() {
            series.insert((family, vec![queue.to_owned()]), 0.0);
        }
        for job in jobs {
            *series.get_mut(&(family, vec![job.queue.clone()])).unwrap() += 1.0;
        }
    }

    /// Inserts the extreme time of each label set that occurs.
    fn extreme(
        &self,
        series: &mut Series,
        family: &'static str,
        times: impl Iterator<Item = (Vec<String>, i64)>,
        pick: fn(f64, f64) -> f64,
    ) {
        for (labels, time) in times {
            let time = self.unix(time);
            series.entry((family, labels)).and_modify(|other| *other = pick(*other, time)).or_insert(time);
        }
    }
}
