//! The metric contract for DAGs: their states, why some are stalled, the progress of others.

use marie_exporter::demo::shape::Shape;

use super::{UNFINISHED, World};
use crate::queries::rows::{Dag, Job};
use crate::queries::scheduler::Series;

impl World {
    pub(crate) fn dags(&self) -> Series {
        let mut series = Series::new();
        if self.shape == Shape::Page {
            return series;
        }
        for dag in &self.dags {
            let planner = self.planner(dag);
            let state = dag.state.as_deref().unwrap_or("unknown").to_owned();
            for state in ["created", "active", "completed", "failed"] {
                series.entry(("marie_dags", vec![planner.clone(), state.to_owned()])).or_default();
            }
            *series.entry(("marie_dags", vec![planner, state])).or_default() += 1.0;
        }
        for reason in ["no_jobs", "failed_job", "no_runnable_job"] {
            series.insert(("marie_dags_stalled", vec![reason.to_owned()]), 0.0);
        }
        for dag in self.dags.iter().filter(|dag| dag.state.is_some() && !self.dag_is_finished(Some(dag.id))) {
            if let Some(reason) = self.stalled(dag) {
                *series.get_mut(&("marie_dags_stalled", vec![reason.to_owned()])).unwrap() += 1.0;
            }
        }
        let active = || self.dags.iter().filter(|dag| dag.state.as_deref() == Some("active"));
        let started = active().filter_map(|dag| Some((Vec::new(), dag.started?)));
        self.extreme(&mut series, "marie_oldest_active_dag_timestamp_seconds", started, f64::min);

        let mut oldest: Vec<&Dag> = active().collect();
        oldest.sort_by_key(|dag| (dag.started.unwrap_or(i64::MAX), dag.id));
        for dag in oldest.into_iter().take(self.progress_limit) {
            self.progress(&mut series, dag);
        }
        series
    }

    fn members(&self, dag: &Dag) -> Vec<&Job> {
        self.jobs.iter().filter(|job| job.dag == Some(dag.id)).collect()
    }

    /// Returns why an unfinished DAG is stalled; `None` if a job of it can run.
    fn stalled(&self, dag: &Dag) -> Option<&'static str> {
        let jobs = self.members(dag);
        let any_in = |state: &str| jobs.iter().any(|job| job.state == state);
        let waits_for_nothing = |job: &&Job| {
            ["created", "retry"].contains(&job.state.as_str())
                && self.parents(job).all(|job| ["completed", "skipped"].contains(&job.state.as_str()))
        };
        if any_in("active") || jobs.iter().copied().any(|job| waits_for_nothing(&job)) {
            None
        } else if jobs.is_empty() {
            Some("no_jobs")
        } else if any_in("failed") {
            Some("failed_job")
        } else {
            Some("no_runnable_job")
        }
    }

    /// Returns the planner. The shape `old` has no column for it.
    fn planner(&self, dag: &Dag) -> String {
        let planner = dag.planner.as_deref().filter(|_| self.shape != Shape::Old);
        planner.unwrap_or("unknown").to_owned()
    }

    fn progress(&self, series: &mut Series, dag: &Dag) {
        let jobs = self.members(dag);
        let labels = vec![dag.id.to_string(), self.planner(dag)];
        for job in &jobs {
            let labels = [labels.clone(), vec![job.state.clone()]].concat();
            *series.entry(("marie_dag_jobs", labels)).or_default() += 1.0;
        }
        if !jobs.is_empty() {
            let finished = jobs.iter().filter(|job| !UNFINISHED.contains(&job.state.as_str())).count();
            #[expect(clippy::cast_precision_loss, reason = "hundreds")]
            series.insert(("marie_dag_progress_ratio", labels), finished as f64 / jobs.len() as f64);
        }
    }
}
