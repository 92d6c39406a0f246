//! Many or long names of queues, planners and states, which clients choose: the exporter's memory stays small and the
//! numbers stay right.

use std::fs;

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::long_tests::is_long_run;
use crate::support::metrics::Metrics;
use crate::support::process::Process;
use crate::support::scrape::{Answer, get, until};

const LIMIT_KIB: u64 = 64 * 1024;

/// Returns the peak memory of a process.
fn peak_kib(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Runs `serve` until the pulse and the history have run twice, and the pulse twice more; returns the last metrics.
#[allow(clippy::print_stdout, reason = "the figures are for docs/faults.md")]
fn metrics_within_limit(database: &Database, flags: &[&str], what: &str) -> Metrics {
    let flags = [&["--collector.load-budget=100%"], flags].concat();
    let process = Process::serve(&database.url, &flags);
    let url = format!("{}/metrics", process.address());
    let runs = |answer: &Answer, pace: &str| {
        let labels = [("collector", "statistics"), ("pace", pace)];
        Metrics::parse(&answer.text()).value("marie_collector_runs_total", &labels).unwrap_or(0.0)
    };
    let answer = until(&url, "both run twice", |answer| {
        ["pulse", "history"].iter().all(|pace| runs(answer, pace) >= 2.0)
    });
    // The queue inventory has been read, but the latest run of the pulse may have begun before that.
    let before = runs(&answer, "pulse");
    let answer = until(&url, "the pulse runs again", |answer| runs(answer, "pulse") >= before + 2.0);
    let metrics = Metrics::parse(&answer.text());
    let failed = metrics.count("marie_collector_failures_total", &[]);
    assert_eq!(failed, 0.0, "{what}: {}", get(process.address()).text());
    let peak = peak_kib(&process);
    println!("{what}: {} MiB", peak / 1024);
    assert!(peak < LIMIT_KIB, "{what}: {peak} KiB");
    metrics
}

/// Creates queues in the table, and a stuck job in each hundredth queue.
async fn add_queues(database: &mut Database, name: &str, count: u32) {
    database
        .run(&format!(
            "insert into queue (name) select {name} from generate_series(1, {count}) as n;
             insert into job (id, name, dag_id, state, started_on)
             select gen_random_uuid(), {name}, md5('dag')::uuid, 'active', now() - interval '1 day'
             from generate_series(1, {count}) as n where n % 100 = 0"
        ))
        .await;
}

/// `most` is how many of the queues with a stuck job may have series of their own.
async fn queues_stay_within_limit(name: &str, count: u32, most: f64) {
    let mut database = Database::new(Shape::New).await;
    add_queues(&mut database, name, count).await;
    let metrics = metrics_within_limit(&database, &[], &format!("{count} queues {name}"));
    let stuck = metrics.values("marie_jobs_stuck", &[]);
    assert_eq!(stuck.iter().sum::<f64>(), f64::from(count / 100));
    let other = metrics.value("marie_jobs_stuck", &[("queue", "other")]).unwrap_or_default();
    // Idle queues can be among those with series of their own.
    assert!(other >= f64::from(count / 100) - most, "{other} in other");
}

#[tokio::test]
async fn long_queue_names_stay_within_the_memory_limit() {
    queues_stay_within_limit("repeat('q', 9990) || n", 4_000, 0.0).await;
}

#[tokio::test]
async fn many_queue_names_stay_within_the_memory_limit() {
    let count = if is_long_run() { 100_000 } else { 10_000 };
    queues_stay_within_limit("'queue ' || n", count, 200.0).await;
    if is_long_run() {
        queues_stay_within_limit("repeat('q', 9990) || n", 20_000, 0.0).await;
        queues_stay_within_limit("left(repeat(chr(128578), 94) || n, 100)", 20_000, 200.0).await;
    }
}

#[tokio::test]
async fn patterns_over_many_queue_names_stay_within_the_limit() {
    let mut database = Database::new(Shape::New).await;
    add_queues(&mut database, "'queue ' || n || repeat(chr(128578), 60)", 10_000).await;
    for (flag, selected) in [("--queues.include=queue.*", false), ("--queues.exclude=queue .00.*", true)] {
        let metrics = metrics_within_limit(&database, &[flag], flag);
        let stuck = metrics.values("marie_jobs_stuck", &[]);
        assert!(stuck.iter().sum::<f64>() > 50.0, "{stuck:?}");
        let idle = metrics.value("marie_jobs_stuck", &[("queue", "idle")]);
        assert_eq!(idle.is_some(), selected, "{flag}");
    }
}

#[tokio::test]
async fn many_job_states_stay_within_the_memory_limit() {
    let mut database = Database::new(Shape::Page).await;
    let count = if is_long_run() { 100_000 } else { 4_000 };
    for state in ["repeat('s', 9990) || n", "'state ' || n"] {
        database
            .run(&format!(
                "insert into job (id, name, state)
                 select gen_random_uuid(), 'extract', {state} from generate_series(1, {count}) as n"
            ))
            .await;
    }
    database.run("insert into job (id, name, state) values (gen_random_uuid(), 'extract', 'paused'), (gen_random_uuid(), 'extract', 'paused')").await;
    let metrics = metrics_within_limit(&database, &[], "states");
    assert_eq!(metrics.value("marie_jobs", &[("state", "paused")]), Some(2.0));
    assert_eq!(metrics.values("marie_jobs", &[]).iter().sum::<f64>(), f64::from(2 * count + 2));
    let other = metrics.value("marie_jobs", &[("queue", "extract"), ("state", "other")]);
    assert_eq!(other, Some(f64::from(2 * count - 19)), "20 other states have series of their own");
}

#[tokio::test]
async fn many_planners_stay_within_the_memory_limit() {
    let mut database = Database::new(Shape::New).await;
    let count = if is_long_run() { 100_000 } else { 10_000 };
    database
        .run(&format!(
            "insert into dag (id, name, planner, state)
             select gen_random_uuid(), n::text, left(n || repeat(chr(128578), 250), 250), state
             from generate_series(1, {count}) as n, unnest(array['active', 'completed', 'state ' || n]) as s (state);
             insert into dag (id, name, planner, state)
             select gen_random_uuid(), 'ocr ' || n, 'ocr', 'active' from generate_series(1, 3) as n"
        ))
        .await;
    let metrics = metrics_within_limit(&database, &[], "planners");
    assert_eq!(metrics.value("marie_dags", &[("planner", "ocr"), ("state", "active")]), Some(3.0));
    let all = f64::from(3 * count + 4);
    assert_eq!(metrics.values("marie_dags", &[]).iter().sum::<f64>(), all);
}
