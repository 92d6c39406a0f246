//! Active jobs past a limit. The scheduler does not restart them.

use sqlx::Arguments;

use super::{QUEUE, UNFINISHED, by_queue};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::{Collector, Query};
use crate::collect::pace::Pace;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "stuck",
    about: "Active jobs past their limits",
    families: &[&JOBS_STUCK, &STUCK_THRESHOLD, &JOBS_PAST_EXPIRY, &JOBS_LEASE_EXPIRED],
    joint: &[],
    queries: &[
        Query {
            sql: sql!("stuck.sql"),
            by_queue: &[&JOBS_STUCK, &STUCK_THRESHOLD, &JOBS_PAST_EXPIRY],
            needs: &[Need::Columns("job", &["name", "state", "started_on"])],
            optional: &[optional!("job"."expire_in": "interval")],
            arguments: |context| {
                let config = context.config;
                // All queues of the file, because one that is not known yet can be created.
                let (queues, thresholds): (Vec<_>, Vec<_>) = config
                    .stuck_after_by_queue
                    .iter()
                    .filter(|(queue, _)| {
                        // The database has no queue with a name that it cannot receive.
                        context.schema.can_receive(queue) || context.queues.known().contains(queue)
                    })
                    .map(|(queue, threshold)| (queue.as_str(), threshold.as_secs_f64()))
                    .unzip();
                let mut arguments = by_queue(context)?;
                arguments.add(queues)?;
                arguments.add(thresholds)?;
                arguments.add(config.stuck_after.as_secs_f64())?;
                Ok(arguments)
            },
            pace: Pace::Pulse,
            ..UNFINISHED
        },
        // Schedulers without job_attempt do not renew run leases, so every healthy job looks expired after a minute.
        Query {
            sql: sql!("lease_expired.sql"),
            by_queue: &[&JOBS_LEASE_EXPIRED],
            needs: &[
                Need::Table("job_attempt"),
                Need::Columns("job", &["name", "state", "run_lease_expires_at"]),
            ],
            pace: Pace::Pulse,
            ..UNFINISHED
        },
    ],
};

static JOBS_STUCK: Family = Family {
    name: "marie_jobs_stuck",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Active jobs whose latest attempt was started longer ago than the queue's threshold \
           (marie_stuck_threshold_seconds). Cannot see whether a worker still works on them.",
    merge: Merge::Sum,
};

static STUCK_THRESHOLD: Family = Family {
    name: "marie_stuck_threshold_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "After how many seconds in state active a job of this queue counts as stuck.",
    merge: Merge::Drop,
};

static JOBS_PAST_EXPIRY: Family = Family {
    name: "marie_jobs_past_expiry",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Active jobs whose expire_in has passed since their latest start. Jobs with expire_in 0, as the gateway \
           submits them, never expire and are not counted.",
    merge: Merge::Sum,
};

static JOBS_LEASE_EXPIRED: Family = Family {
    name: "marie_jobs_lease_expired",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Active jobs whose run lease ran out more than a minute ago: neither renewed nor reaped. Only where the \
           scheduler renews leases (the table job_attempt exists).",
    merge: Merge::Sum,
};
