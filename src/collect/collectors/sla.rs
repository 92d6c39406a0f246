//! Unfinished jobs that have missed an SLA or are about to. The gateway stamps jobs without a promise with a soft SLA at
//! their submission, by its own clock. So an SLA within a minute of `created_on` is not counted.

use sqlx::Arguments;

use super::{QUEUE, UNFINISHED, by_queue};
use crate::collect::collector::declare::sql;
use crate::collect::collector::{Collector, Query};
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "sla",
    about: "Unfinished jobs past an SLA or close to it",
    families: &[&SLA_OVERDUE, &SLA_DUE_SOON],
    joint: &[],
    queries: &[Query {
        sql: sql!("sla.sql"),
        by_queue: &[&SLA_OVERDUE, &SLA_DUE_SOON],
        needs: &[Need::Columns("job", &["name", "state", "created_on", "soft_sla", "hard_sla"])],
        arguments: |context| {
            let mut arguments = by_queue(context)?;
            arguments.add(context.config.sla_due_soon.as_secs_f64())?;
            Ok(arguments)
        },
        ..UNFINISHED
    }],
};

static SLA_OVERDUE: Family = Family {
    name: "marie_jobs_sla_overdue",
    kind: Kind::Gauge,
    labels: &[QUEUE, "sla"],
    help: "Unfinished jobs (created, retry, active) whose soft or hard SLA has passed. A job can be in both. An SLA \
           within a minute of the job's creation is no promise and is not counted.",
    merge: Merge::Sum,
};

static SLA_DUE_SOON: Family = Family {
    name: "marie_jobs_sla_due_soon",
    kind: Kind::Gauge,
    labels: &[QUEUE, "sla"],
    help: "Unfinished jobs (created, retry, active) whose soft or hard SLA has not passed but will within \
           --sla.due-soon (15 minutes unless set).",
    merge: Merge::Sum,
};
