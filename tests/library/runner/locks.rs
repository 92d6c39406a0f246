//! A table that somebody else has locked, as a migration or a TRUNCATE does.

use marie_exporter::demo::shape::Shape;

use crate::support::databases::{Database, run};
use crate::support::lanes::Lanes;

/// The lock time-out is half of a short statement time-out.
const IMPATIENT: &[&str] = &["--collector.timeout=400ms"];

/// Locks the table, waits until `failing` report it, and holds that `going_on` do not mind.
async fn lock(table: &str, failing: &[&str], going_on: &[&str]) {
    let database = Database::new(Shape::New).await;
    let mut lanes = Lanes::start(&database.url, IMPATIENT);
    let all = [failing, going_on].concat();
    lanes.until_fresh(&all).await;

    let mut session = database.session().await;
    run(&mut session, &format!("begin; lock table {table} in access exclusive mode")).await;
    for collector in failing {
        lanes.until_fails(collector, "lock").await;
    }
    lanes.until_fresh(going_on).await;
    let metrics =
        lanes.until("the database counts as reached", |now| now.value("marie_up", &[]) == Some(1.0)).await;
    for collector in failing {
        let labels = [("collector", *collector), ("lane", "fast")];
        assert_eq!(metrics.value("marie_collector_success", &labels), Some(0.0), "{collector}");
    }

    run(&mut session, "rollback").await;
    lanes.until_fresh(&all).await;
    lanes.stop().await;
}

#[tokio::test]
async fn a_lock_on_version_stops_the_scheduler_collector_alone() {
    lock("version", &["scheduler"], &["statistics", "stuck", "retries", "sla", "dags", "queues"]).await;
}

#[tokio::test]
async fn a_lock_on_job_history_stops_the_scheduler_collector_alone() {
    lock("job_history", &["scheduler"], &["statistics", "stuck", "retries", "sla", "dags", "queues"]).await;
}

#[tokio::test]
async fn a_lock_on_dag_stops_those_that_read_dags() {
    lock("dag", &["statistics", "dags"], &["stuck", "retries", "sla", "queues", "scheduler"]).await;
}

#[tokio::test]
async fn a_lock_on_queue_leaves_those_alone_that_publish_no_queues() {
    lock("queue", &["statistics", "stuck", "queues"], &["dags", "scheduler"]).await;
}

#[tokio::test]
async fn a_lock_on_job_stops_all_that_read_it_until_it_is_gone() {
    lock("job", &["statistics", "stuck", "retries", "sla", "scheduler"], &[]).await;
}

#[tokio::test]
async fn waiting_for_a_lock_is_no_load_and_stretches_no_interval() {
    let database = Database::new(Shape::New).await;
    // At a budget of 1 % a lock time-out of 200 ms would ask for 20 s.
    let flags = ["--collector.timeout=400ms", "--collector.interval=2s", "--collector.load-budget=1%"];
    let mut session = database.session().await;
    run(&mut session, "begin; lock table version in access exclusive mode").await;
    let mut lanes = Lanes::start(&database.url, &flags);
    let metrics = lanes.until_fails("scheduler", "lock").await;
    let interval =
        metrics.value("marie_collector_interval_seconds", &[("collector", "scheduler"), ("lane", "fast")]);
    assert_eq!(interval, Some(2.0));
    lanes.stop().await;
}
