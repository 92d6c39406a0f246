//! A table that another session has locked, as a migration or a TRUNCATE does.

use marie_exporter::demo::shape::Shape;

use crate::support::databases::{Database, run};
use crate::support::running::{Running, pace};

/// The lock time-out is half of a short statement time-out.
const FLAGS: &[&str] = &["--collector.timeout=400ms"];

/// Locks the table, and asserts that `failing` collectors fail and `unaffected` ones continue until it is unlocked.
async fn lock(table: &str, failing: &[&str], unaffected: &[&str]) {
    let database = Database::new(Shape::New).await;
    let mut running = Running::start(&database.url, FLAGS);
    let collectors = [failing, unaffected].concat();
    running.until_fresh(&collectors).await;

    let mut session = database.session().await;
    run(&mut session, &format!("begin; lock table {table} in access exclusive mode")).await;
    for collector in failing {
        running.until_fails(collector, "lock").await;
    }
    running.until_fresh(unaffected).await;
    let metrics = running.until("marie_up is 1", |now| now.value("marie_up", &[]) == Some(1.0)).await;
    for collector in failing {
        let labels = [("collector", *collector), ("pace", pace(collector))];
        assert_eq!(metrics.value("marie_collector_success", &labels), Some(0.0), "{collector}");
    }

    run(&mut session, "rollback").await;
    running.until_fresh(&collectors).await;
    running.stop().await;
}

#[tokio::test]
async fn lock_on_version_stops_only_the_scheduler_collector() {
    lock("version", &["scheduler"], &["statistics", "stuck", "retries", "sla", "dags", "queues"]).await;
}

#[tokio::test]
async fn lock_on_job_history_stops_only_the_scheduler_collector() {
    lock("job_history", &["scheduler"], &["statistics", "stuck", "retries", "sla", "dags", "queues"]).await;
}

#[tokio::test]
async fn lock_on_dag_stops_only_collectors_that_read_dags() {
    lock("dag", &["statistics", "dags", "sla", "retries"], &["stuck", "queues", "scheduler"]).await;
}

#[tokio::test]
async fn lock_on_queue_stops_only_the_queues_collector() {
    lock("queue", &["queues"], &["statistics", "stuck", "dags", "scheduler"]).await;
}

#[tokio::test]
async fn lock_on_job_stops_its_collectors_until_released() {
    lock("job", &["statistics", "stuck", "retries", "sla", "scheduler"], &[]).await;
}

#[tokio::test]
async fn lock_wait_counts_as_no_load() {
    let database = Database::new(Shape::New).await;
    // At a load budget of 1 % a lock time-out of 200 ms would require a pause of a minute.
    let flags = ["--collector.timeout=400ms", "--collector.interval=2s", "--collector.load-budget=1%"];
    let mut session = database.session().await;
    run(&mut session, "begin; lock table version in access exclusive mode").await;
    let mut running = Running::start(&database.url, &flags);
    let metrics = running.until_fails("scheduler", "lock").await;
    let busy = metrics.count("marie_database_busy_seconds_total", &[("pace", "pulse")]);
    assert!(busy < 0.2, "the lock time-out of 0.2 s counts: {busy} s");
    running.stop().await;
}
