//! Hand-made tables: three queues with their twins, and one example of each special case.
//!
//! Values for which a shape has no column or table are left out there.

use marie_exporter::demo::shape::Shape;

use crate::queries::rows::{DAY, Dag, HOUR, Job, MINUTE, SECOND};
use crate::queries::scheduler::Scheduler;

/// A queue name with special characters; clients choose names freely.
pub(crate) const UGLY: &str = "we\"ird\\que\nue";

struct Dags {
    running: Dag,
    failed: Dag,
    finished: Dag,
    without_jobs: Dag,
    with_failed_job: Dag,
    without_runnable_job: Dag,
    without_state: Dag,
}

impl Dags {
    fn new() -> Self {
        let active =
            |number, planner, started| Dag { started: Some(started), ..Dag::new(number, "active", planner) };
        Dags {
            running: active(0xd1, "ocr", -2 * HOUR),
            failed: Dag::new(0xd2, "failed", "ocr"),
            finished: Dag::new(0xd3, "completed", "ocr"),
            without_jobs: Dag { planner: None, ..active(0xd4, "", -DAY) },
            with_failed_job: active(0xd5, "tables", -HOUR),
            without_runnable_job: Dag::new(0xd6, "suspended", "tables"),
            without_state: Dag { state: None, ..Dag::new(0xd7, "", "tables") },
        }
    }

    fn to_array(&self) -> [Dag; 7] {
        [
            &self.running,
            &self.failed,
            &self.finished,
            &self.without_jobs,
            &self.with_failed_job,
            &self.without_runnable_job,
            &self.without_state,
        ]
        .map(Clone::clone)
    }
}

/// Fills the tables. The number of a job is its id, so that other jobs can name it as parent.
pub(crate) async fn fill(scheduler: &mut Scheduler) {
    scheduler
        .create_queue(
            "extract",
            r#"{"policy": "standard", "retry_limit": 3, "expire_seconds": 900, "retention_minutes": 20160,
                "dead_letter": "$extract_dlq"}"#,
        )
        .await;
    scheduler.create_queue(UGLY, "{}").await;
    scheduler.create_queue("idle", r#"{"retry_limit": 2}"#).await;
    let dags = Dags::new();
    let mut jobs = waiting(&dags);
    jobs.extend(running(&dags));
    jobs.extend(finished(&dags));
    scheduler.insert(&dags.to_array(), &jobs).await;
    if scheduler.shape == Shape::New {
        // A skipped parent counts as completed for its child.
        scheduler.execute("update job set state = 'skipped' where id::text like '%033'").await;
    }
    if scheduler.shape != Shape::Page {
        scheduler.execute("update version set maintained_on = now() - interval '90 seconds'").await;
    }
}

fn waiting(dags: &Dags) -> Vec<Job> {
    let extract = |number, dag, state| Job::new(number, "extract", dag, state);
    let after = |parent: u128| vec![sqlx::types::Uuid::from_u128(parent)];
    vec![
        // Ready since it was created.
        extract(0x01, &dags.running, "created"),
        // Ready since its parent was completed, 10 minutes ago.
        Job { parents: after(0x31), ..extract(0x02, &dags.running, "created") },
        // Ready since its deferral ended; has no retry left.
        Job {
            start_after: Some(-5 * MINUTE),
            started: Some(-30 * MINUTE),
            retry_count: 2,
            ..extract(0x03, &dags.running, "retry")
        },
        // Deferred by a minute; due at exactly this microsecond, which is no longer deferred.
        Job { start_after: Some(MINUTE), ..extract(0x04, &dags.running, "retry") },
        Job { start_after: Some(0), ..Job::new(0x05, UGLY, &dags.running, "created") },
        // Blocked and deferred; counts as blocked.
        Job { start_after: Some(MINUTE), parents: after(0x11), ..extract(0x06, &dags.running, "created") },
        // Waiting in a failed DAG.
        Job { parents: after(0x32), ..extract(0x07, &dags.failed, "created") },
        // The parent failed; the parent was cancelled.
        Job { parents: after(0x34), ..extract(0x08, &dags.with_failed_job, "created") },
        Job { parents: after(0x35), ..Job::new(0x09, UGLY, &dags.without_runnable_job, "created") },
        // The parent was skipped in shapes with that state, and failed in the others.
        Job { parents: after(0x33), ..extract(0x0a, &dags.running, "created") },
        // The soft SLA is missed; the hard SLA is due in exactly 15 minutes.
        Job {
            soft_sla: Some(-MINUTE),
            hard_sla: Some(15 * MINUTE),
            ..Job::new(0x0b, UGLY, &dags.running, "created")
        },
    ]
}

fn running(dags: &Dags) -> Vec<Job> {
    let active = |number, queue, started| Job {
        started: Some(started),
        lease_expires: Some(-MINUTE),
        ..Job::new(number, queue, &dags.running, "active")
    };
    vec![
        // Healthy, with a valid lease.
        Job { run_lease_expires: Some(50 * SECOND), ..active(0x11, "extract", -MINUTE) },
        // Exactly at the stuck threshold of an hour, and a microsecond past it.
        active(0x12, "extract", -HOUR),
        Job { created: -2 * HOUR, ..active(0x13, "extract", -HOUR - 1) },
        // Past its time limit of 15 minutes; the others have 0, which means no limit.
        Job { expire_in: Some(15 * MINUTE), ..active(0x14, UGLY, -16 * MINUTE) },
        // The lease expired a minute and a microsecond ago, and exactly a minute ago.
        Job { run_lease_expires: Some(-MINUTE - 1), ..active(0x15, UGLY, -3 * MINUTE) },
        Job { run_lease_expires: Some(-MINUTE), ..active(0x16, UGLY, -3 * MINUTE) },
        // Past its hard SLA.
        Job { created: -5 * HOUR, hard_sla: Some(-HOUR), ..active(0x17, UGLY, -4 * MINUTE) },
    ]
}

fn finished(dags: &Dags) -> Vec<Job> {
    let done = |number, queue, dag, state, completed: i64| Job {
        created: completed - HOUR,
        started: Some(completed - MINUTE),
        completed: Some(completed),
        ..Job::new(number, queue, dag, state)
    };
    vec![
        // A control-flow node, which completes without a start.
        Job { started: None, ..done(0x31, "extract", &dags.running, "completed", -10 * MINUTE) },
        Job { retry_count: 2, ..done(0x32, "extract", &dags.failed, "failed", -31 * DAY) },
        done(0x33, "extract", &dags.running, "failed", -20 * MINUTE),
        done(0x34, "extract", &dags.with_failed_job, "failed", -2 * HOUR),
        done(0x35, UGLY, &dags.without_runnable_job, "cancelled", -HOUR),
        // Exactly an hour ago is not within the last hour; exactly a day ago is not within the last day.
        Job { retry_count: 1, ..done(0x36, UGLY, &dags.finished, "completed", -HOUR) },
        done(0x37, UGLY, &dags.finished, "completed", -DAY),
        // Exactly a week ago is not yet due for clean-up.
        done(0x38, UGLY, &dags.finished, "completed", -7 * DAY),
        done(0x39, UGLY, &dags.finished, "completed", -7 * DAY - 1),
        done(0x3a, UGLY, &dags.without_state, "expired", -3 * DAY),
    ]
}
