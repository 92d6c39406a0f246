//! The metric contract for past events: completed and retried jobs, jobs due for clean-up, the scheduler's latest
//! activity.

use marie_exporter::demo::shape::Shape;

use super::World;
use crate::queries::rows::{DAY, HOUR, Job};
use crate::queries::scheduler::Series;

impl World {
    pub(crate) fn throughput(&self) -> Series {
        let mut series = Series::new();
        let completed_in = |window: i64| {
            self.jobs.iter().filter(move |job| {
                job.state == "completed" && job.completed.is_some_and(|time| time > -window)
            })
        };
        self.count(&mut series, "marie_jobs_completed_last_hour", completed_in(HOUR));
        self.count(&mut series, "marie_jobs_completed_last_day", completed_in(DAY));
        for (family, state) in [
            ("marie_job_last_completed_timestamp_seconds", "completed"),
            ("marie_job_last_failed_timestamp_seconds", "failed"),
        ] {
            let jobs = self.jobs.iter().filter(|job| job.state == state);
            let finished = jobs.filter_map(|job| Some((vec![job.queue.clone()], job.completed?)));
            self.extreme(&mut series, family, finished, f64::max);
        }
        series
    }

    pub(crate) fn retries(&self) -> Series {
        let mut series = Series::new();
        let retried = || self.jobs.iter().filter(|job| job.retry_count > 0);
        self.count(&mut series, "marie_jobs_retried", retried());
        let exhausted = self.unfinished().filter(|job| job.retry_count >= job.retry_limit);
        self.count(&mut series, "marie_jobs_retries_exhausted", exhausted);
        for queue in self.queues() {
            let counts = || retried().filter(|job| job.queue == queue).map(|job| job.retry_count);
            let labels = vec![queue.to_owned()];
            series.insert(("marie_jobs_retry_attempts", labels.clone()), counts().sum::<i32>().into());
            series.insert(("marie_jobs_retry_attempts_max", labels), counts().max().unwrap_or(0).into());
        }
        series
    }

    pub(crate) fn cleanup_due(&self) -> Series {
        let older = |state: &str, age: i64| {
            let is_due = |job: &&Job| job.state == state && job.completed.is_some_and(|time| time < -age);
            self.jobs.iter().filter(is_due).map(|_| 1.0).sum()
        };
        Series::from([
            (("marie_jobs_cleanup_due", vec!["completed_7d".to_owned()]), older("completed", 7 * DAY)),
            (("marie_jobs_cleanup_due", vec!["failed_30d".to_owned()]), older("failed", 30 * DAY)),
        ])
    }

    /// Returns the time of the scheduler's latest activity of each kind.
    pub(crate) fn activity(&self) -> Series {
        let has_index = self.shape == Shape::New;
        let starts = self
            .jobs
            .iter()
            .filter(|job| has_index || ["created", "retry", "active"].contains(&job.state.as_str()));
        let mut series = Series::new();
        let activity = |activity: &str| vec![activity.to_owned()];
        let family = "marie_scheduler_last_activity_timestamp_seconds";
        let starts = starts.filter_map(|job| Some((activity("start"), job.started?)));
        self.extreme(&mut series, family, starts, f64::max);
        let finishes = self.jobs.iter().filter_map(|job| Some((activity("finish"), job.completed?)));
        self.extreme(&mut series, family, finishes, f64::max);
        let leases = self.unfinished().flat_map(|job| [job.lease_expires, job.run_lease_expires]);
        let leases = leases.flatten().map(|time| (activity("lease"), time.min(0)));
        self.extreme(&mut series, family, leases, f64::max);
        series
    }
}
