//! The families of the events collector.

use crate::collect::queue_labels::LABEL as QUEUE;
use crate::metrics::{Family, Kind};

pub(super) static FAMILIES: &[&Family] = &[
    &JOBS_CREATED,
    &JOBS_FINISHED,
    &JOB_WAIT,
    &JOB_RUN,
    &JOB_TURNAROUND,
    &JOB_RETRIES,
    &SLA_FINISHED,
    &SLA_MISSED,
    &DAG_RUN,
    &CLAMPED,
    &COUNTED_UNTIL,
];

pub(super) static JOBS_CREATED: Family = Family::new(
    "marie_jobs_created_total",
    Kind::Counter,
    &[QUEUE],
    "Jobs created, and jobs reset to created with a new created_on. Cannot see a job whose client gave it a \
     created_on of its own.",
);
pub(super) static JOBS_FINISHED: Family = Family::new(
    "marie_jobs_finished_total",
    Kind::Counter,
    &[QUEUE, "state"],
    "Jobs that entered a finished state. A job that was reset and finishes again is counted again; one that the \
     scheduler completes again within five minutes without a reset is not.",
);
pub(super) static JOB_WAIT: Family = Family::new(
    "marie_job_wait_seconds",
    Kind::Histogram,
    &[QUEUE],
    "How long jobs that finished at their first attempt had waited for it: from created_on or, if later, start_after \
     to started_on. Jobs with retries are left out, because what a retry waited for is not recorded.",
);
pub(super) static JOB_RUN: Family = Family::new(
    "marie_job_run_seconds",
    Kind::Histogram,
    &[QUEUE, "state"],
    "How long the last attempt of finished jobs that started took, from started_on to completed_on.",
);
pub(super) static JOB_TURNAROUND: Family = Family::new(
    "marie_job_turnaround_seconds",
    Kind::Histogram,
    &[QUEUE, "state"],
    "How long finished jobs that started took in all, from created_on to completed_on.",
);
pub(super) static JOB_RETRIES: Family = Family::new(
    "marie_job_retries",
    Kind::Histogram,
    &[QUEUE, "state"],
    "retry_count of finished jobs at their finish.",
);
pub(super) static SLA_FINISHED: Family = Family::new(
    "marie_job_sla_finished_total",
    Kind::Counter,
    &[QUEUE, "sla"],
    "Finished jobs that had that SLA. An SLA up to a minute after created_on is no promise and not counted.",
);
pub(super) static SLA_MISSED: Family = Family::new(
    "marie_job_sla_missed_total",
    Kind::Counter,
    &[QUEUE, "sla"],
    "Those of marie_job_sla_finished_total that finished after it.",
);
pub(super) static DAG_RUN: Family = Family::new(
    "marie_dag_run_seconds",
    Kind::Histogram,
    &["planner", "state"],
    "How long finished DAGs took, from created_on to completed_on. Of more than 50 planners those that come up later \
     are counted as other; the series of a planner without a finished DAG for a day are dropped. Cannot see a second finish of a DAG that was reopened.",
);
pub(super) static CLAMPED: Family = Family::new(
    "marie_events_clamped_total",
    Kind::Counter,
    &[],
    "Durations that came out negative and were counted as 0: clocks of gateway and database differ, a clock was set, or \
     a client gave dates.",
);
pub(super) static COUNTED_UNTIL: Family = Family::new(
    "marie_events_counted_until_timestamp_seconds",
    Kind::Gauge,
    &[],
    "Unix time on the database's clock: every event that was committed before it is counted. It stands still while a \
     transaction that writes stays open.",
);

/// Values of the label `sla`.
pub(super) const SLAS: [&str; 2] = ["soft", "hard"];
