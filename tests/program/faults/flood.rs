//! Millions of jobs and their history are inserted in one transaction while the exporter reads.

use std::time::Duration;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;

use crate::support::databases::{furnished, run};
use crate::support::watch::Watch;

/// Returns the number of rows from `FAULTS_ROWS`; the full test has ten million.
fn rows() -> u32 {
    std::env::var("FAULTS_ROWS").map_or(100_000, |rows| rows.parse().expect("FAULTS_ROWS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_inserted_at_once_appear_together_and_count_once() {
    let rows = rows();
    let server = Server::start_with(&[("shared_buffers", "512MB"), ("max_wal_size", "16GB")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = furnished(&url, Shape::New).await;
    // Without them the insert is much faster.
    run(&mut admin, include_str!("fewer_indexes.sql")).await;
    // A query over so many rows takes longer than the time-out of other tests.
    let watch = Watch::serve(&url, &["--collector.timeout=1m"]);
    let insert = include_str!("flood.sql").replace(":rows", &rows.to_string());
    let flood = tokio::spawn(async move { run(&mut admin, &insert).await });
    let arrived = [("queue", "flood"), ("state", "completed")];
    let all = f64::from(rows);
    while !flood.is_finished() {
        let seen = watch.metrics().count("marie_jobs", &arrived);
        assert!(seen == 0.0 || seen == all, "{seen} of {all} jobs are published");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    flood.await.unwrap();
    let patience = Duration::from_secs(30 + u64::from(rows) / 10_000);
    let metrics = watch.within(patience, "all jobs are counted", |now| {
        now.value("marie_jobs", &arrived) == Some(all)
            && now.value("marie_jobs_finished_total", &arrived) == Some(all)
    });
    assert_eq!(metrics.value("marie_jobs_completed_last_hour", &arrived[..1]), Some(all));
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
    watch.end();
}
