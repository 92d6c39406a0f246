//! The runner without a database: stopped, restarted, or not yet created.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::Connection;

use crate::support::databases::{Database, SERVER, furnished};
use crate::support::running::Running;

fn is_up(metrics: &crate::support::metrics::Metrics) -> bool {
    metrics.value("marie_up", &[]) == Some(1.0)
}

#[tokio::test]
async fn restarted_server_is_found_without_exporter_restart() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    let mut running = Running::start(&url, &[]);
    running.until_fresh(&["statistics"]).await;
    server.stop().unwrap();
    running.until("the outage is noticed", |now| !is_up(now)).await;
    let metrics = running.until_fails("statistics", "unavailable").await;
    assert!(metrics.has("marie_jobs"), "the last numbers are kept for a while");
    assert_eq!(
        metrics.value("marie_collector_success", &[("collector", "queues"), ("pace", "history")]),
        None,
        "a collector does not fail at a pace that it does not have"
    );
    server.start_again().unwrap();
    let metrics = running.until_fresh(&["statistics", "stuck", "queues", "scheduler"]).await;
    assert!(is_up(&metrics));
    running.stop().await;
}

#[tokio::test]
async fn database_created_after_start_is_found() {
    let url = SERVER.url("late");
    let mut running = Running::start(&url, &[]);
    let exporter = std::sync::Arc::clone(&running.exporter);
    running.until("the runner has tried", |_| exporter.run_status.is_ready()).await;
    let metrics = running.until_fails("stuck", "unavailable").await;
    assert!(!is_up(&metrics) && !metrics.has("marie_jobs"));

    SERVER.create_database("late").await.unwrap();
    running.until("the empty database is reached", is_up).await;
    let disabled = [("collector", "stuck"), ("reason", "missing_table")];
    running
        .until("there are no tables yet", |now| {
            now.value("marie_collector_disabled_info", &disabled).is_some()
        })
        .await;

    furnished(&url, Shape::Mid).await.close().await.unwrap();
    let metrics = running.until_fresh(&["statistics", "stuck", "queues"]).await;
    assert_eq!(metrics.value("marie_jobs", &[("queue", "extract"), ("state", "active")]), Some(1.0));
    assert_eq!(metrics.value("marie_collector_disabled_info", &disabled), None);
    running.stop().await;
}

#[tokio::test]
async fn stale_samples_are_withdrawn_with_their_series_count() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    let mut running = Running::start(&url, &["--collector.stale-after=1s"]);
    running.until("numbers of two paces", |now| now.has("marie_jobs") && now.has("marie_table_rows")).await;
    server.stop().unwrap();
    let labels = [("collector", "queues")];
    let metrics = running
        .until("the samples expire", |now| {
            let series = now.count("marie_exporter_series", &labels);
            assert_eq!(series > 0.0, now.has("marie_queue_info"), "{series} series are counted");
            now.count("marie_exporter_series", &[]) == 0.0
        })
        .await;
    assert!(!metrics.has("marie_jobs") && !metrics.has("marie_table_rows"));
    running.stop().await;
}

#[tokio::test]
async fn one_connection_of_the_role_is_enough() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "create role single login connection limit 1;
             grant usage on schema marie_scheduler to single;
             grant select on all tables in schema marie_scheduler to single",
        )
        .await;
    let url = database.url.replace("postgres@", "single@");
    let mut running = Running::start(&url, &[]);
    let metrics = running.until_fresh(&["statistics", "stuck", "events", "storage"]).await;
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0);
    running.stop().await;
}
