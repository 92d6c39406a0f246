//! The lanes without a database: stopped, restarted, or not yet created.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::Connection;

use crate::support::databases::{Database, SERVER, furnished};
use crate::support::lanes::Lanes;

fn is_up(metrics: &crate::support::metrics::Metrics) -> bool {
    metrics.value("marie_up", &[]) == Some(1.0)
}

#[tokio::test]
async fn restarted_server_is_found_without_exporter_restart() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    let mut lanes = Lanes::start(&url, &[]);
    lanes.until_fresh(&["statistics"]).await;
    server.stop().unwrap();
    lanes.until("the outage is noticed", |now| !is_up(now)).await;
    let metrics = lanes.until_fails("statistics", "unavailable").await;
    assert!(metrics.has("marie_jobs"), "the last numbers are kept for a while");
    assert_eq!(
        metrics.value("marie_collector_success", &[("collector", "queues"), ("lane", "slow")]),
        None,
        "a collector does not fail in a lane where it never runs"
    );
    server.start_again().unwrap();
    let metrics = lanes.until_fresh(&["statistics", "stuck", "queues", "scheduler"]).await;
    assert!(is_up(&metrics));
    lanes.stop().await;
}

#[tokio::test]
async fn database_created_after_start_is_found() {
    let url = SERVER.url("late");
    let mut lanes = Lanes::start(&url, &[]);
    let exporter = std::sync::Arc::clone(&lanes.exporter);
    lanes.until("both lanes have tried", |_| exporter.run_status.is_ready()).await;
    let metrics = lanes.until_fails("stuck", "unavailable").await;
    assert!(!is_up(&metrics) && !metrics.has("marie_jobs"));

    SERVER.create_database("late").await.unwrap();
    lanes.until("the empty database is reached", is_up).await;
    let disabled = [("collector", "stuck"), ("reason", "missing_table")];
    lanes
        .until("there are no tables yet", |now| {
            now.value("marie_collector_disabled_info", &disabled).is_some()
        })
        .await;

    furnished(&url, Shape::Mid).await.close().await.unwrap();
    let metrics = lanes.until_fresh(&["statistics", "stuck", "queues"]).await;
    assert_eq!(metrics.value("marie_jobs", &[("queue", "extract"), ("state", "active")]), Some(1.0));
    assert_eq!(metrics.value("marie_collector_disabled_info", &disabled), None);
    lanes.stop().await;
}

#[tokio::test]
async fn stale_samples_are_withdrawn_with_their_series_count() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    let mut lanes = Lanes::start(&url, &["--collector.stale-after=1s"]);
    lanes.until("numbers of both lanes", |now| now.has("marie_jobs") && now.has("marie_table_rows")).await;
    server.stop().unwrap();
    let labels = [("collector", "queues")];
    let metrics = lanes
        .until("the samples expire", |now| {
            let series = now.count("marie_exporter_series", &labels);
            assert_eq!(series > 0.0, now.has("marie_queue_info"), "{series} series are counted");
            now.count("marie_exporter_series", &[]) == 0.0
        })
        .await;
    assert!(!metrics.has("marie_jobs") && !metrics.has("marie_table_rows"));
    lanes.stop().await;
}

#[tokio::test]
async fn lane_without_connection_does_not_stop_the_other_lane() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "create role single login connection limit 1;
             grant usage on schema marie_scheduler to single;
             grant select on all tables in schema marie_scheduler to single",
        )
        .await;
    let url = database.url.replace("postgres@", "single@");
    let mut lanes = Lanes::start(&url, &[]);
    let refused = [("reason", "unavailable")];
    lanes
        .until("one lane is refused", |now| now.count("marie_collector_failures_total", &refused) > 0.0)
        .await;
    let runs = lanes.metrics();
    lanes
        .until("one lane goes on", |now| {
            let good = |metrics: &crate::support::metrics::Metrics| {
                metrics.count("marie_collector_runs_total", &[])
                    - metrics.count("marie_collector_failures_total", &[])
            };
            good(now) > good(&runs) + 10.0
        })
        .await;
    lanes.stop().await;
}
