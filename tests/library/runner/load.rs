//! Slow queries: the load budget limits them, and other collectors continue.

use std::time::{Duration, Instant};

use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::pace::Pace;
use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::running::{Running, successes};

const SCHEDULER: [(&str, &str); 2] = [("collector", "scheduler"), ("pace", "pulse")];

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
async fn all_statements_together_stay_within_the_budget() {
    let mut database = Database::new(Shape::New).await;
    slow_down(&mut database, "version", 0.8).await;
    let mut running = Running::start(&database.url, &["--collector.load-budget=10%"]);
    let began = Instant::now();
    let busy = |metrics: &Metrics| metrics.count("marie_database_busy_seconds_total", &[]);
    let first = running.until("the allowance of the start is used up", |now| busy(now) > 10.0).await;
    while began.elapsed() < Duration::from_secs(45) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = running.metrics();
    // One statement may be ahead of the budget.
    let allowed = 10.0 + 0.1 * began.elapsed().as_secs_f64() + 1.0;
    assert!(busy(&last) <= allowed, "{} s, {allowed} s are allowed", busy(&last));
    assert!(busy(&last) > 12.0, "the budget is not used: {} s", busy(&last));
    let interval = "marie_collector_interval_seconds";
    assert!(last.value(interval, &SCHEDULER) > Some(2.0), "{:?}", last.value(interval, &SCHEDULER));
    let gained = successes(&last, "queues") - successes(&first, "queues");
    assert!(gained >= 10.0, "the slow pulse held up the backlog, which ran {gained} times");
    running.stop().await;
}

#[tokio::test]
async fn slow_query_times_out_and_others_continue() {
    let mut database = Database::new(Shape::New).await;
    slow_down(&mut database, "version", 30.0).await;
    let mut running = Running::start(&database.url, &["--collector.timeout=300ms"]);
    running.until_fails("scheduler", "timeout").await;
    let metrics = running.until_fresh(&["statistics", "stuck", "queues"]).await;
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    running.stop().await;
}

#[tokio::test]
async fn results_before_a_timed_out_query_are_published() {
    let mut database = Database::new(Shape::New).await;
    // The query for signs of life in `version` runs after that for starts.
    slow_down(&mut database, "version", 30.0).await;
    let mut running = Running::start(&database.url, &["--collector.timeout=300ms"]);
    let metrics = running.until_fails("scheduler", "timeout").await;
    let activity = "marie_scheduler_last_activity_timestamp_seconds";
    assert!(metrics.value(activity, &[("activity", "start")]).is_some());
    running.stop().await;
}

#[tokio::test]
async fn queues_are_found_without_the_history() {
    let mut database = Database::new(Shape::New).await;
    add_orphan(&mut database).await;
    let off = COLLECTORS.iter().filter(|collector| collector.has_pace(Pace::History));
    let flags: Vec<String> = off.map(|collector| format!("--no-collector.{}", collector.name)).collect();
    let mut running = Running::start(&database.url, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let threshold = "marie_stuck_threshold_seconds";
    running.until("the queue is found", |now| now.value(threshold, &[("queue", "orphan")]).is_some()).await;
    running.stop().await;
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
    slow_down(&mut database, "job", 0.7).await;
    let mut flags = vec!["--no-collector.statistics", "--no-collector.retries", "--no-collector.sla"];
    flags.extend(["--no-collector.dags", "--no-collector.scheduler", "--no-collector.throughput"]);
    let mut running = Running::start(&database.url, &flags);
    let threshold = "marie_stuck_threshold_seconds";
    running.until("the queue is found", |now| now.value(threshold, &[("queue", "orphan")]).is_some()).await;
    let labels = [("collector", "storage"), ("pace", "history")];
    let metrics =
        running.until("storage has run", |now| now.count("marie_collector_runs_total", &labels) > 0.0).await;
    assert_eq!(metrics.count("marie_collector_failures_total", &labels), 0.0);
    let interval = metrics.value("marie_collector_interval_seconds", &labels).unwrap();
    assert!(interval < 5.0, "the interval is {interval} s");
    running.stop().await;
}

#[tokio::test]
async fn tiny_load_budget_leaves_the_allowance_of_the_start() {
    let database = Database::new(Shape::New).await;
    let mut running = Running::start(&database.url, &["--collector.load-budget=1e-300"]);
    let all = |now: &Metrics| now.values("marie_collector_success", &[]).len() >= 8;
    let metrics = running.until("all collectors have run", all).await;
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0);
    running.stop().await;
}
