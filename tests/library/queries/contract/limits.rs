//! The metric contract for unfinished jobs past a limit: stuck threshold, expiry, lease or SLA.

use marie_exporter::demo::shape::Shape;

use super::World;
use crate::queries::rows::{HOUR, Job, MINUTE};
use crate::queries::scheduler::Series;

impl World {
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
        // Jobs of the shape `page` have no time limit.
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
                    Some(deadline) if deadline <= job.created + MINUTE => continue,
                    Some(deadline) if deadline < 0 => "marie_jobs_sla_overdue",
                    Some(deadline) if deadline <= 15 * MINUTE => "marie_jobs_sla_due_soon",
                    _ => continue,
                };
                *series.get_mut(&(family, vec![job.queue.clone(), sla.to_owned()])).unwrap() += 1.0;
            }
        }
        series
    }
}
