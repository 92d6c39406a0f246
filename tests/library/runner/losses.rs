//! Lost connections while the database is healthy.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::AssertSqlSafe;

use crate::support::databases::Database;
use crate::support::running::Running;

/// Waits for sessions of the exporter in this database that fulfil the condition, and terminates them.
async fn terminate(database: &mut Database, condition: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let sql = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'marie-exporter' and {condition}"
        );
        let ended = sqlx::query(AssertSqlSafe(sql)).execute(&mut database.admin).await.unwrap();
        if ended.rows_affected() > 0 {
            return;
        }
        assert!(Instant::now() < deadline, "no session has {condition}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn session_terminated_during_query_fails_one_run() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "begin;
             alter table version rename to version_rows;
             create view version as select * from version_rows where (select true from pg_sleep(0.5));
             commit",
        )
        .await;
    let mut running = Running::start(&database.url, &[]);
    running.until_fresh(&["scheduler"]).await;
    terminate(&mut database, "state = 'active' and query like '%.version as v%'").await;
    let lost = [("collector", "scheduler"), ("pace", "pulse"), ("reason", "unavailable")];
    let failures =
        |now: &crate::support::metrics::Metrics| now.count("marie_collector_failures_total", &lost);
    running.until("the run has failed", |now| failures(now) > 0.0).await;
    let metrics = running.until_fresh(&["scheduler", "stuck"]).await;
    assert_eq!(failures(&metrics), 1.0);
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    running.stop().await;
}

#[tokio::test]
async fn session_terminated_between_runs_fails_no_run() {
    let mut database = Database::new(Shape::New).await;
    let flags = ["--collector.interval=500ms", "--collector.slow-interval=500ms"];
    let mut running = Running::start(&database.url, &flags);
    running.until_fresh(&["stuck"]).await;
    for _ in 0..2 {
        terminate(&mut database, "state = 'idle'").await;
        running.until_fresh(&["stuck"]).await;
    }
    assert_eq!(running.metrics().count("marie_collector_failures_total", &[]), 0.0);
    running.stop().await;
}

#[tokio::test]
async fn query_that_ends_its_session_stops_no_other_collector() {
    let mut database = Database::new(Shape::New).await;
    // The backlog reads `dag`.
    database
        .run(
            "begin;
             alter table dag rename to dag_rows;
             create view dag as
             select * from dag_rows where (select pg_terminate_backend(pg_backend_pid()) or pg_sleep(5) is null);
             insert into job (id, name, dag_id) values (gen_random_uuid(), 'extract', md5('dag')::uuid);
             commit",
        )
        .await;
    let mut running = Running::start(&database.url, &[]);
    running.until_fails("statistics", "unavailable").await;
    let metrics = running.until_fresh(&["stuck", "queues", "scheduler"]).await;
    let stuck = [("collector", "stuck"), ("pace", "pulse")];
    assert_eq!(metrics.count("marie_collector_failures_total", &stuck), 0.0);
    running.stop().await;
}
