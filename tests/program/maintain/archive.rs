//! `maintain archive` moves exactly the finished DAGs, or with `--per-job` exactly the jobs that the maintenance page selects.

use std::collections::BTreeSet;

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::{Scheduler, jobs, table};

/// The selection of the maintenance page, with `skipped`, which the page's list of states lacks.
const PAGE_SELECTION: &str = "select id from job
    where state::text in ('completed', 'failed', 'cancelled', 'expired', 'skipped')
        and completed_on < now() - interval '7 days'";

fn ids(rows: &crate::maintain::scheduler::Rows) -> BTreeSet<String> {
    rows.keys().cloned().collect()
}

#[tokio::test]
async fn archive_moves_exactly_whole_finished_dags() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 80, 0.1).await;
        let before = scheduler.snapshot().await;
        let expected = scheduler.jobs_of_finished_dags("7 days", "true").await;
        assert!(expected.len() > 50 && expected.len() < before["job"].len(), "{}", expected.len());

        let planned = scheduler.maintain(&["archive", "--older-than=7d"]).expect_success();
        assert!(planned.contains("Nothing was changed."), "{planned}");
        assert_eq!(scheduler.snapshot().await, before, "the plan has changed something: {}", shape.name());

        let done =
            scheduler.maintain(&["archive", "--older-than=7d", "--batch=20", "--execute"]).expect_success();
        let after = scheduler.snapshot().await;
        assert_eq!(ids(&after["archive"]), expected, "{} {done}", shape.name());
        assert_eq!(table(&planned), table(&done), "the command did not do what it planned");
        assert_eq!(jobs(&done), expected.len());
        let mut all = after["job"].clone();
        all.extend(after["archive"].clone());
        assert_eq!(all.len(), after["job"].len() + after["archive"].len(), "a job is in both tables");
        assert_eq!(without_generated(&all), without_generated(&before["job"]), "{}", shape.name());
        if shape != Shape::Page {
            let left_behind = scheduler.count("select count(*) from archive where state = 'created'").await;
            assert!(left_behind > 5, "only {left_behind} jobs wait for a failed parent");
            let gone = "select dag_id as id from archive";
            let gone = scheduler.ids(gone).await;
            let rows: BTreeSet<String> =
                ids(&before["dag"]).difference(&ids(&after["dag"])).cloned().collect();
            assert_eq!(rows, gone, "the DAGs without jobs");
            let recorded = "select id from dag_history where id in (select dag_id from archive) group by id having count(*) > 1";
            assert_eq!(scheduler.ids(recorded).await, gone, "the DAGs in the history");
        }
        let again = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
        assert!(again.contains("There is nothing to do."), "{again}");
    }
}

/// Returns the rows without generated columns, which the archive lacks.
fn without_generated(rows: &crate::maintain::scheduler::Rows) -> Vec<serde_json::Value> {
    let values = rows.values().map(|row| {
        let mut value: serde_json::Value = serde_json::from_str(row).unwrap();
        value
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.starts_with("slot_") && !name.starts_with("day_"));
        value
    });
    values.collect()
}

#[tokio::test]
async fn reset_job_keeps_its_failed_dag() {
    let mut scheduler = Scheduler::new(Shape::Mid, 60, 0.1).await;
    let expected = scheduler.jobs_of_finished_dags("7 days", "true").await;
    let reset = scheduler.ids("select id from job where state = 'failed'").await;
    let reset = reset.intersection(&expected).next().unwrap().clone();
    scheduler
        .database
        .run(&format!(
            "update job set state = 'created', completed_on = null, started_on = null where id = '{reset}';
            delete from job_dependencies where job_id = '{reset}'"
        ))
        .await;
    let of_dag = format!("select id from job where dag_id = (select dag_id from job where id = '{reset}')");
    let kept = scheduler.ids(&of_dag).await;
    let printed = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
    assert_eq!(
        scheduler.ids("select id from archive").await,
        expected.difference(&kept).cloned().collect(),
        "{printed}"
    );
}

#[tokio::test]
async fn archive_per_job_moves_what_the_page_selects() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 80, 0.2).await;
        let before = scheduler.snapshot().await;
        let expected = scheduler.ids(PAGE_SELECTION).await;
        let arguments = ["archive", "--older-than=7d", "--per-job", "--batch=50"];
        let planned = scheduler.maintain(&arguments).expect_success();
        assert!(planned.contains("Jobs that waited for them will look unblocked"), "{planned}");
        let done = scheduler.maintain(&[&arguments[..], &["--execute"]].concat()).expect_success();
        let after = scheduler.snapshot().await;
        assert_eq!(ids(&after["archive"]), expected, "{}", shape.name());
        assert_eq!((table(&planned), jobs(&done)), (table(&done), expected.len()));
        assert_eq!(after["job"].len() + after["archive"].len(), before["job"].len());
        assert_eq!(after.get("dag"), before.get("dag"), "a DAG was deleted");
    }
}

#[tokio::test]
async fn archive_keeps_referenced_dag() {
    let mut scheduler = Scheduler::new(Shape::Mid, 60, 0.3).await;
    let expected = scheduler.jobs_of_finished_dags("7 days", "true").await;
    let referred = expected.first().unwrap().clone();
    scheduler
        .database
        .run(&format!(
            "create table hitl_request (
                 id int primary key,
                 job_name text,
                 job_id uuid,
                 foreign key (job_name, job_id) references job (name, id) on delete cascade
             );
             insert into hitl_request select 1, name, id from job where id = '{referred}'"
        ))
        .await;
    let kept = scheduler
        .ids(&format!("select id from job where dag_id = (select dag_id from job where id = '{referred}')"))
        .await;
    let printed = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
    assert!(
        printed.contains(&format!("{} jobs of 1 DAG: rows of other tables refer to it", kept.len()))
            || printed.contains("1 job of 1 DAG: rows of other tables refer to it"),
        "{printed}"
    );
    let archived = scheduler.ids("select id from archive").await;
    assert_eq!(archived, expected.difference(&kept).cloned().collect());
    assert_eq!(scheduler.count("select count(*) from hitl_request").await, 1);
}
