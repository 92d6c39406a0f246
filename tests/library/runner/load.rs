//! Slow queries: the load budget limits them, and other collectors continue.

use std::time::{Duration, Instant};

use marie_exporter::collect::collector::Lane;
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::lanes::{Lanes, successes};

const SCHEDULER: [(&str, &str); 2] = [("collector", "scheduler"), ("lane", "fast")];

/// Delays each read of the table by this many seconds.
async fn slow_down(database: &mut Database, table: &str, seconds: f64) {
    database
        .run(&format!(
            "begin;
             alter table {table} rename to {table}_rows;
             create view {table} as
             select * from {table}_rows where (select true from pg_sleep({seconds}));
             commit"
        ))
        .await;
}

#[tokio::test]
async fn slow_query_stretches_only_its_collectors_interval() {
    let mut database = Database::new(Shape::New).await;
    slow_down(&mut database, "version", 0.2).await;
    let mut lanes = Lanes::start(&database.url, &["--collector.load-budget=5%"]);
    let interval = "marie_collector_interval_seconds";
    let first =
        lanes.until("the interval is stretched", |now| now.value(interval, &SCHEDULER) >= Some(4.0)).await;
    let began = Instant::now();
    let runs = |metrics: &crate::support::metrics::Metrics| successes(metrics, "scheduler");
    let second = lanes.until("the next run of the slow collector", |now| runs(now) > runs(&first)).await;
    assert!(began.elapsed() > Duration::from_secs(3), "only {:?} between two runs", began.elapsed());
    let pace = successes(&second, "queues") - successes(&first, "queues");
    assert!(pace >= 4.0, "the queues ran {pace} times meanwhile");
    let busy = second.count("marie_database_busy_seconds_total", &SCHEDULER);
    assert!(busy >= 0.2 * runs(&second), "{busy} s for {} runs", runs(&second));
    lanes.stop().await;
}

#[tokio::test]
async fn slow_query_times_out_and_others_continue() {
    let mut database = Database::new(Shape::New).await;
    slow_down(&mut database, "version", 30.0).await;
    let mut lanes = Lanes::start(&database.url, &["--collector.timeout=300ms"]);
    lanes.until_fails("scheduler", "timeout").await;
    let metrics = lanes.until_fresh(&["statistics", "stuck", "queues"]).await;
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    lanes.stop().await;
}

#[tokio::test]
async fn second_timeout_in_a_row_pauses_but_first_does_not() {
    let mut database = Database::new(Shape::New).await;
    slow_down(&mut database, "version", 30.0).await;
    let flags = ["--collector.timeout=300ms", "--collector.load-budget=0.1%", "--collector.interval=2s"];
    let mut lanes = Lanes::start(&database.url, &flags);
    let metrics = lanes.until_fails("scheduler", "timeout").await;
    let interval = "marie_collector_interval_seconds";
    assert_eq!(metrics.value(interval, &SCHEDULER), Some(2.0));
    lanes
        .until("the load budget stretches the interval", |now| now.value(interval, &SCHEDULER) >= Some(300.0))
        .await;
    lanes.stop().await;
}

#[tokio::test]
async fn results_before_a_timed_out_query_are_published() {
    let mut database = Database::new(Shape::New).await;
    database
        .run("insert into job (id, name, dag_id) values (gen_random_uuid(), 'extract', md5('dag')::uuid)")
        .await;
    // The query for ready jobs reads `dag`; the query for jobs by state does not.
    slow_down(&mut database, "dag", 30.0).await;
    let mut lanes = Lanes::start(&database.url, &["--collector.timeout=300ms"]);
    let metrics = lanes.until_fails("statistics", "timeout").await;
    assert!(metrics.has("marie_jobs"));
    assert!(!metrics.has("marie_jobs_ready"));
    lanes.stop().await;
}

#[tokio::test]
async fn queues_are_found_with_all_slow_collectors_off() {
    let mut database = Database::new(Shape::New).await;
    add_orphan(&mut database).await;
    let off = COLLECTORS.iter().filter(|collector| collector.may_run_in(Lane::Slow));
    let flags: Vec<String> = off.map(|collector| format!("--no-collector.{}", collector.name)).collect();
    let mut lanes = Lanes::start(&database.url, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let threshold = "marie_stuck_threshold_seconds";
    lanes.until("the queue is found", |now| now.value(threshold, &[("queue", "orphan")]).is_some()).await;
    lanes.stop().await;
}

/// Adds a queue that has no row, only a finished job.
async fn add_orphan(database: &mut Database) {
    database
        .run(
            "insert into job (id, name, state, dag_id)
             values (gen_random_uuid(), 'orphan', 'completed', md5('dag')::uuid)",
        )
        .await;
}

#[tokio::test]
async fn slow_queue_inventory_stretches_no_collector_interval() {
    let mut database = Database::new(Shape::New).await;
    add_orphan(&mut database).await;
    // Each of the two statements of the inventory stays within the time-out, both together do not.
    slow_down(&mut database, "job", 2.7).await;
    let mut flags = vec!["--collector.timeout=3s"];
    flags.extend(["--no-collector.statistics", "--no-collector.retries", "--no-collector.sla"]);
    flags.extend(["--no-collector.dags", "--no-collector.scheduler", "--no-collector.throughput"]);
    let mut lanes = Lanes::start(&database.url, &flags);
    let threshold = "marie_stuck_threshold_seconds";
    lanes.until("the queue is found", |now| now.value(threshold, &[("queue", "orphan")]).is_some()).await;
    let labels = [("collector", "storage"), ("lane", "slow")];
    let metrics =
        lanes.until("storage has run", |now| now.count("marie_collector_runs_total", &labels) > 0.0).await;
    assert_eq!(metrics.count("marie_collector_failures_total", &labels), 0.0);
    let interval = metrics.value("marie_collector_interval_seconds", &labels).unwrap();
    assert!(interval < 5.0, "the interval is {interval} s");
    lanes.stop().await;
}

#[tokio::test]
async fn tiny_load_budget_pauses_for_a_week_without_panic() {
    let database = Database::new(Shape::New).await;
    let mut lanes = Lanes::start(&database.url, &["--collector.load-budget=1e-300"]);
    let metrics = lanes
        .until("all collectors have run", |now| {
            now.values("marie_collector_success", &[("lane", "fast")]).len() >= 8
        })
        .await;
    let week = 7.0 * 86400.0;
    assert_eq!(metrics.value("marie_collector_interval_seconds", &SCHEDULER), Some(week));
    lanes.stop().await;
}
