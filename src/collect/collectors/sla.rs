//! Unfinished jobs that have missed an SLA or soon will.
//!
//! The gateway gives jobs without an SLA the time of their submission, by its own clock, as soft SLA. An SLA within a minute
//! of `created_on` is therefore not counted.

use super::{BACKLOG, QUEUE};
use crate::collect::collector::{Collector, Query};
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "sla",
    about: "Unfinished jobs past an SLA or close to it",
    families: &[&SLA_OVERDUE, &SLA_DUE_SOON],
    joint: &[],
    queries: &[Query {
        by_queue: &[&SLA_OVERDUE, &SLA_DUE_SOON],
        needs: &[Need::Columns("job", &["id", "name", "state", "created_on", "soft_sla", "hard_sla"])],
        ..BACKLOG
    }],
};

pub(crate) static SLA_OVERDUE: Family = Family {
    name: "marie_jobs_sla_overdue",
    kind: Kind::Gauge,
    labels: &[QUEUE, "sla"],
    help: "Unfinished jobs (created, retry, active) whose soft or hard SLA has passed. A job can be in both. An SLA \
           within a minute of the job's creation is no promise and is not counted.",
    merge: Merge::Sum,
};

pub(crate) static SLA_DUE_SOON: Family = Family {
    name: "marie_jobs_sla_due_soon",
    kind: Kind::Gauge,
    labels: &[QUEUE, "sla"],
    help: "Unfinished jobs (created, retry, active) whose soft or hard SLA has not passed but will within \
           --sla.due-soon (15 minutes unless set).",
    merge: Merge::Sum,
};
