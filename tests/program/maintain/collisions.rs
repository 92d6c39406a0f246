//! A job that was archived, reset and run again meets its earlier self in the archive.

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;

/// Puts an earlier run of one job of a finished DAG into the archive; returns its id and its DAG's jobs.
async fn meet(scheduler: &mut Scheduler) -> (String, usize) {
    let job = scheduler.in_finished_dags("7 days", "true").await.first().unwrap().clone();
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
        let expected = scheduler.in_finished_dags("7 days", "true").await;
        let (job, of_dag) = meet(&mut scheduler).await;
        let told = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect();
        assert!(told.contains("in the archive already"), "{told}");
        let archived = scheduler.rows("archive").await;
        assert_eq!(archived.len(), expected.len() - of_dag + 1, "{}", shape.name());
        assert!(archived[&job].contains("\"retry_count\": 77"), "{}", archived[&job]);
        assert_eq!(scheduler.count(&format!("select count(*) from job where id = '{job}'")).await, 1);

        let told = scheduler.maintain(&["archive", "--older-than=7d", "--replace", "--execute"]).expect();
        let archived = scheduler.rows("archive").await;
        assert_eq!(archived.keys().cloned().collect::<std::collections::BTreeSet<_>>(), expected, "{told}");
        assert!(!archived[&job].contains("\"retry_count\": 77"), "{}", archived[&job]);
        assert_eq!(scheduler.count(&format!("select count(*) from job where id = '{job}'")).await, 0);
    }
}

#[tokio::test]
async fn job_by_job_only_that_job_stays() {
    let mut scheduler = Scheduler::new(Shape::Mid, 40, 0.6).await;
    let due = "select count(*) from job where state > 'active' and completed_on < now() - interval '7 days'";
    let due = scheduler.count(due).await;
    let (job, _) = meet(&mut scheduler).await;
    scheduler.maintain(&["archive", "--older-than=7d", "--per-job", "--execute"]).expect();
    assert_eq!(scheduler.count("select count(*) from archive").await, due);
    assert_eq!(scheduler.count(&format!("select count(*) from job where id = '{job}'")).await, 1);
}
