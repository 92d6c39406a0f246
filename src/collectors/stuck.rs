//! Active jobs that will not finish by themselves: the scheduler does not mend them.

use sqlx::Arguments;

use super::{QUEUE, UNFINISHED, known_queues};
use crate::collector::{Collector, Context, Query, StandIn};
use crate::family::{Family, Kind, Together};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "stuck",
    about: "Active jobs past their limits",
    families: &[&JOBS_STUCK, &STUCK_THRESHOLD, &JOBS_PAST_EXPIRY, &JOBS_LEASE_EXPIRED],
    queries: &[
        Query {
            sql: sql!("stuck.sql"),
            stand_ins: &[NO_EXPIRY],
            arguments: |context| {
                let mut arguments = known_queues(context)?;
                arguments.add(thresholds(context))?;
                arguments.add(context.config.stuck_after.as_secs_f64())?;
                Ok(arguments)
            },
            ..UNFINISHED
        },
        // Before job_attempt came, nobody renewed run leases: every healthy job looked expired after a minute.
        Query {
            sql: sql!("lease_expired.sql"),
            needs: &[Need::Table("job_attempt"), Need::Column("job", "run_lease_expires_at")],
            ..UNFINISHED
        },
    ],
};

/// Where jobs have no time limit.
const NO_EXPIRY: StandIn = StandIn {
    instead_of: &[Need::Column("job", "expire_in")],
    sql: include_str!("stand_ins/job_without_expire_in.sql"),
    needs: &[],
};

/// Seconds for each of the known queues, in their order.
fn thresholds(context: &Context<'_>) -> Vec<f64> {
    let config = context.config;
    let threshold =
        |queue| config.stuck_after_by_queue.get(queue).unwrap_or(&config.stuck_after).as_secs_f64();
    context.queues.known().iter().map(threshold).collect()
}

static JOBS_STUCK: Family = Family {
    name: "marie_jobs_stuck",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Active jobs whose latest attempt was started longer ago than the queue's threshold \
           (marie_stuck_threshold_seconds). Cannot see whether a worker still works on them.",
    together: Together::Sum,
};

static STUCK_THRESHOLD: Family = Family {
    name: "marie_stuck_threshold_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "After how many seconds in state active a job of this queue counts as stuck.",
    together: Together::Never,
};

static JOBS_PAST_EXPIRY: Family = Family {
    name: "marie_jobs_past_expiry",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Active jobs whose expire_in has passed since their latest start. Jobs with expire_in 0, as the gateway \
           submits them, never expire and are not counted.",
    together: Together::Sum,
};

static JOBS_LEASE_EXPIRED: Family = Family {
    name: "marie_jobs_lease_expired",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Active jobs whose run lease ran out more than a minute ago: neither renewed nor reaped. Only where the \
           scheduler renews leases (the table job_attempt exists).",
    together: Together::Sum,
};
