//! `maintain purge completed` and `maintain purge failed` delete whole DAGs, or with `--per-job` exactly what the SQL of the
//! maintenance page deletes.

use std::collections::BTreeSet;

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::{Scheduler, jobs, table};

const PAGE_COMPLETED: &str = "select id from job
    where state = 'completed' and completed_on < now() - interval '7 days'";
const PAGE_FAILED: &str = "select id from job
    where state = 'failed' and completed_on < now() - interval '30 days'";

/// Condition for jobs whose DAG has a failed, expired or cancelled job.
const DAG_FAILED: &str = "exists (
    select from job as w
    where coalesce(w.dag_id, w.id) = coalesce(j.dag_id, j.id) and w.state::text in ('failed', 'expired', 'cancelled')
)";

#[tokio::test]
async fn purges_delete_exactly_their_whole_dags() {
    for shape in Shape::ALL {
        for (outcome, age, flag, condition) in [
            ("completed", "7 days", "--older-than=7d", format!("not {DAG_FAILED}")),
            ("failed", "30 days", "--older-than=30d", DAG_FAILED.to_owned()),
        ] {
            let mut scheduler = Scheduler::new(shape, 120, 0.15).await;
            let before = scheduler.snapshot().await;
            let expected = scheduler.jobs_of_finished_dags(age, &condition).await;
            assert!(expected.len() > 20, "{} {outcome}: {}", shape.name(), expected.len());
            let planned = scheduler.maintain(&["purge", outcome, flag]).expect_success();
            assert_eq!(scheduler.snapshot().await, before, "the plan has changed something");
            let done =
                scheduler.maintain(&["purge", outcome, flag, "--batch=30", "--execute"]).expect_success();
            let after = scheduler.snapshot().await;
            let left: BTreeSet<String> =
                before["job"].keys().filter(|id| !expected.contains(*id)).cloned().collect();
            assert_eq!(
                after["job"].keys().cloned().collect::<BTreeSet<_>>(),
                left,
                "{} {done}",
                shape.name()
            );
            assert_eq!((table(&planned), jobs(&done)), (table(&done), expected.len()));
            if shape != Shape::Page {
                let empty =
                    "select count(*) from dag where not exists (select from job where dag_id = dag.id)
                    and name like '%\\_dag'";
                assert_eq!(scheduler.count(empty).await, 0, "an empty DAG is left");
            }
        }
    }
}

#[tokio::test]
async fn purges_delete_the_jobs_that_the_page_deletes() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 80, 0.25).await;
        for (outcome, flag, page) in
            [("completed", "--older-than=7d", PAGE_COMPLETED), ("failed", "--older-than=30d", PAGE_FAILED)]
        {
            let pages = scheduler.ids(page).await;
            assert!(!pages.is_empty());
            let before = scheduler.ids("select id from job").await;
            let done =
                scheduler.maintain(&["purge", outcome, flag, "--per-job", "--execute"]).expect_success();
            let after = scheduler.ids("select id from job").await;
            assert_eq!(before.difference(&after).cloned().collect::<BTreeSet<_>>(), pages, "{done}");
        }
    }
}

#[tokio::test]
async fn plan_names_tables_that_cascade() {
    let mut scheduler = Scheduler::new(Shape::New, 20, 0.25).await;
    scheduler
        .database
        .run("create table hitl_request (id int primary key, dag_id uuid references dag (id) on delete cascade)")
        .await;
    let printed = scheduler.maintain(&["purge", "completed", "--older-than=7d"]).expect_success();
    assert!(printed.contains("go with it: \"marie_scheduler\".\"hitl_request\"."), "{printed}");
}

#[tokio::test]
async fn plan_names_indirectly_affected_tables() {
    let mut scheduler = Scheduler::new(Shape::Mid, 10, 0.45).await;
    scheduler
        .database
        .run(
            "create table hitl_request (id int primary key, dag_id uuid references dag (id) on delete cascade);
             create table hitl_response (id int primary key,
                 request int references hitl_request (id) on delete cascade);
             create table hitl_notification (response int references hitl_response (id) on delete cascade);
             create table note (response int references hitl_response (id) on delete set null);
             create table apart (id int primary key)",
        )
        .await;
    let planned = scheduler.maintain(&["purge", "completed", "--older-than=30d"]).expect_success();
    let table = |name: &str| format!("\"marie_scheduler\".\"{name}\"");
    let [request, response, notification, note] =
        ["hitl_request", "hitl_response", "hitl_notification", "note"].map(table);
    let along =
        format!("Rows that refer to what is deleted go with it: {notification}, {request}, {response}.");
    assert!(planned.contains(&along), "{planned}");
    let stay = format!("Rows that refer to what is deleted stay without their reference: {note}.");
    assert!(planned.contains(&stay), "{planned}");
}
