//! `maintain archive` with a job that was archived before, then reset and run again.

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;

/// Puts an earlier row of one job of a finished DAG into the archive. Returns its id and the number of jobs of its DAG.
async fn archive_earlier_row(scheduler: &mut Scheduler) -> (String, usize) {
    let job = scheduler.jobs_of_finished_dags("7 days", "true").await.first().unwrap().clone();
    let columns = "id, name, state, dag_id, retry_limit, retry_count, created_on, data";
    let earlier = format!(
        "insert into archive ({columns})
         select id, name, state, dag_id, retry_limit, 77, created_on, data from job where id = '{job}'"
    );
    scheduler.database.run(&earlier).await;
    let of_dag = format!(
        "select count(*) from job where coalesce(dag_id, id) = (select coalesce(dag_id, id) from job where id = '{job}')"
    );
    let jobs = scheduler.count(&of_dag).await;
    (job, usize::try_from(jobs).unwrap())
}

#[tokio::test]
async fn archived_rows_are_kept_unless_replaced() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 40, 0.6).await;
        let expected = scheduler.jobs_of_finished_dags("7 days", "true").await;
        let (job, of_dag) = archive_earlier_row(&mut scheduler).await;
        let printed = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
        assert!(printed.contains("in the archive already"), "{printed}");
        let archived = scheduler.rows("archive").await;
        assert_eq!(archived.len(), expected.len() - of_dag + 1, "{}", shape.name());
        assert!(archived[&job].contains("\"retry_count\": 77"), "{}", archived[&job]);
        assert_eq!(scheduler.count(&format!("select count(*) from job where id = '{job}'")).await, 1);

        let printed =
            scheduler.maintain(&["archive", "--older-than=7d", "--replace", "--execute"]).expect_success();
        let archived = scheduler.rows("archive").await;
        assert_eq!(
            archived.keys().cloned().collect::<std::collections::BTreeSet<_>>(),
            expected,
            "{printed}"
        );
        assert!(!archived[&job].contains("\"retry_count\": 77"), "{}", archived[&job]);
        assert_eq!(scheduler.count(&format!("select count(*) from job where id = '{job}'")).await, 0);
    }
}

#[tokio::test]
async fn archive_per_job_keeps_only_archived_job() {
    let mut scheduler = Scheduler::new(Shape::Mid, 40, 0.6).await;
    let due = "select count(*) from job where state > 'active' and completed_on < now() - interval '7 days'";
    let due = scheduler.count(due).await;
    let (job, _) = archive_earlier_row(&mut scheduler).await;
    scheduler.maintain(&["archive", "--older-than=7d", "--per-job", "--execute"]).expect_success();
    assert_eq!(scheduler.count("select count(*) from archive").await, due);
    assert_eq!(scheduler.count(&format!("select count(*) from job where id = '{job}'")).await, 1);
}
