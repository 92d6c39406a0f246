//! The metric contract for jobs by state and for waiting jobs: which are ready, and why the others are blocked.

use super::{UNFINISHED, World};
use crate::queries::rows::Job;
use crate::queries::scheduler::Series;

impl World {
    /// Returns why a waiting job cannot run; `None` if it is ready or deferred.
    fn blocked(&self, job: &Job) -> Option<&'static str> {
        let parent_in = |states: &[&str]| self.parents(job).any(|job| states.contains(&job.state.as_str()));
        if self.dag_is_finished(job.dag) {
            Some("dag_finished")
        } else if parent_in(&["failed", "expired", "cancelled"]) {
            Some("parent_failed")
        } else if parent_in(&UNFINISHED) {
            Some("dependency")
        } else {
            None
        }
    }

    pub(crate) fn statistics(&self) -> Series {
        let mut series = Series::new();
        for queue in self.queues() {
            for state in self.states() {
                series.insert(("marie_jobs", vec![queue.to_owned(), state.to_owned()]), 0.0);
            }
            for reason in ["dependency", "parent_failed", "dag_finished"] {
                series.insert(("marie_jobs_blocked", vec![queue.to_owned(), reason.to_owned()]), 0.0);
            }
        }
        for job in &self.jobs {
            *series.entry(("marie_jobs", vec![job.queue.clone(), job.state.clone()])).or_default() += 1.0;
        }
        let waiting = || self.unfinished().filter(|job| job.state != "active");
        for job in waiting() {
            if let Some(reason) = self.blocked(job) {
                let labels = vec![job.queue.clone(), reason.to_owned()];
                *series.get_mut(&("marie_jobs_blocked", labels)).unwrap() += 1.0;
            }
        }
        let free = || waiting().filter(|job| self.blocked(job).is_none());
        let is_deferred = |job: &&Job| job.start_after.is_some_and(|time| time > 0);
        let ready = || free().filter(|job| !is_deferred(job));
        self.count(&mut series, "marie_jobs_deferred", free().filter(is_deferred));
        self.count(&mut series, "marie_jobs_ready", ready());

        let created = waiting().map(|job| (vec![job.queue.clone(), job.state.clone()], job.created));
        self.extreme(&mut series, "marie_oldest_waiting_job_timestamp_seconds", created, f64::min);
        let ready_since = ready().map(|job| {
            let last_parent = self.parents(job).filter_map(|parent| parent.completed).max();
            (vec![job.queue.clone()], Some(job.created).max(job.start_after).max(last_parent).unwrap())
        });
        self.extreme(&mut series, "marie_oldest_ready_job_timestamp_seconds", ready_since, f64::min);
        let started = self.active().filter_map(|job| Some((vec![job.queue.clone()], job.started?)));
        self.extreme(&mut series, "marie_oldest_active_job_timestamp_seconds", started, f64::min);
        series
    }
}
