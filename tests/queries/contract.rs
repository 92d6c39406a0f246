//! The metric contract computed once more, naively, in Rust over plain rows, from the contract's words alone:
//! the oracle for what the maintenance page has no query for.

mod dags;

use std::collections::{BTreeMap, BTreeSet};

use marie_exporter::demo::shape::Shape;
use sqlx::types::Uuid;

use crate::rows::{DAY, Dag, HOUR, Job, MINUTE};
use crate::scheduler::Series;

/// Everything that the numbers follow from.
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

    /// Queues of the table and of the jobs, without the twins that no job is in.
    pub(crate) fn queues(&self) -> BTreeSet<&str> {
        let of_jobs: BTreeSet<&str> = self.jobs.iter().map(|job| job.queue.as_str()).collect();
        let is_twin = |name: &str| name.starts_with('$') && name.ends_with("_dlq");
        let of_table = self.queue_rows.iter().map(String::as_str);
        let rows = of_table.filter(|name| !is_twin(name) || of_jobs.contains(name));
        rows.chain(of_jobs.iter().copied()).collect()
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

    /// What keeps a waiting job from ever or from now being taken.
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

    fn unix(&self, offset: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53 until the year 2255")]
        let micros = (self.now + offset) as f64;
        micros / 1e6
    }

    /// Sums, per queue, and 0 for each queue that has none.
    fn count<'a>(&self, series: &mut Series, family: &'static str, jobs: impl Iterator<Item = &'a Job>) {
        for queue in self.queues() {
            series.insert((family, vec![queue.to_owned()]), 0.0);
        }
        for job in jobs {
            *series.get_mut(&(family, vec![job.queue.clone()])).unwrap() += 1.0;
        }
    }

    /// The series of an extreme, only where there is one.
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

    pub(crate) fn stuck(&self) -> Series {
        let mut series = Series::new();
        let threshold = |queue: &str| self.stuck_after.get(queue).copied().unwrap_or(HOUR);
        for queue in self.queues() {
            #[expect(clippy::cast_precision_loss, reason = "hours")]
            let seconds = threshold(queue) as f64 / 1e6;
            series.insert(("marie_stuck_threshold_seconds", vec![queue.to_owned()]), seconds);
        }
        let is_stuck = |job: &&Job| job.started.is_some_and(|time| time < -threshold(&job.queue));
        self.count(&mut series, "marie_jobs_stuck", self.active().filter(is_stuck));
        // The page's jobs have no limit, so none of them is past it.
        let has_passed = |job: &&Job| match (job.started, job.expire_in) {
            (Some(started), Some(limit)) => limit > 0 && started + limit < 0,
            _ => false,
        };
        self.count(&mut series, "marie_jobs_past_expiry", self.active().filter(has_passed));
        if self.shape == Shape::New {
            let has_expired = |job: &&Job| job.run_lease_expires.is_some_and(|time| time < -MINUTE);
            self.count(&mut series, "marie_jobs_lease_expired", self.active().filter(has_expired));
        }
        series
    }

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

    pub(crate) fn sla(&self) -> Series {
        let mut series = Series::new();
        for queue in self.queues() {
            for sla in ["soft", "hard"] {
                for family in ["marie_jobs_sla_overdue", "marie_jobs_sla_due_soon"] {
                    series.insert((family, vec![queue.to_owned(), sla.to_owned()]), 0.0);
                }
            }
        }
        for job in self.unfinished() {
            for (sla, deadline) in [("soft", job.soft_sla), ("hard", job.hard_sla)] {
                let family = match deadline {
                    Some(deadline) if deadline <= job.created => continue,
                    Some(deadline) if deadline < 0 => "marie_jobs_sla_overdue",
                    Some(deadline) if deadline <= 15 * MINUTE => "marie_jobs_sla_due_soon",
                    _ => continue,
                };
                *series.get_mut(&(family, vec![job.queue.clone(), sla.to_owned()])).unwrap() += 1.0;
            }
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

    /// The newest signs of life that the tables hold.
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
