//! Lost connections while the database is healthy.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::AssertSqlSafe;

use crate::support::databases::Database;
use crate::support::lanes::Lanes;

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
    let mut lanes = Lanes::start(&database.url, &[]);
    lanes.until_fresh(&["scheduler"]).await;
    terminate(&mut database, "state = 'active' and query like '%.version as v%'").await;
    let lost = [("collector", "scheduler"), ("lane", "fast"), ("reason", "unavailable")];
    let failures =
        |now: &crate::support::metrics::Metrics| now.count("marie_collector_failures_total", &lost);
    lanes.until("the run has failed", |now| failures(now) > 0.0).await;
    let metrics = lanes.until_fresh(&["scheduler", "stuck"]).await;
    assert_eq!(failures(&metrics), 1.0);
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    lanes.stop().await;
}

#[tokio::test]
async fn session_terminated_between_runs_fails_no_run() {
    let mut database = Database::new(Shape::New).await;
    let flags = ["--collector.interval=500ms", "--collector.slow-interval=500ms"];
    let mut lanes = Lanes::start(&database.url, &flags);
    lanes.until_fresh(&["stuck"]).await;
    for _ in 0..2 {
        terminate(&mut database, "state = 'idle'").await;
        lanes.until_fresh(&["stuck"]).await;
    }
    assert_eq!(lanes.metrics().count("marie_collector_failures_total", &[]), 0.0);
    lanes.stop().await;
}

#[tokio::test]
async fn query_that_ends_its_session_stops_no_other_collector() {
    let mut database = Database::new(Shape::New).await;
    // `statistics`, the first collector of the lane, reads `dag`.
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
    let mut lanes = Lanes::start(&database.url, &[]);
    lanes.until_fails("statistics", "unavailable").await;
    let metrics = lanes.until_fresh(&["stuck", "retries", "sla", "queues", "scheduler"]).await;
    let stuck = [("collector", "stuck"), ("lane", "fast")];
    assert_eq!(metrics.count("marie_collector_failures_total", &stuck), 0.0);
    lanes.stop().await;
}
