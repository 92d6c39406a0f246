//! Random orders of statements, commits, rollbacks and runs.
//!
//! After the last transaction every total equals the oracle, and no total has fallen in between.

use std::time::Duration;

use marie_exporter::collect::slice::SliceSize;
use marie_exporter::demo::shape::Shape;
use rand::RngExt;

use crate::events::counting::{Counting, Folder, falls};
use crate::events::new_busy_database;
use crate::events::truth::{differences, ends, truth};
use crate::events::writers::Writers;
use crate::support::long_tests::is_long_run;

/// Number of seeds of each shape. `make test` uses the first third of them.
const SCHEDULES: u64 = 120;
/// Number of seeds of the test in which the counter dies.
const DYING_SCHEDULES: u64 = 60;
const STEPS: usize = 80;

fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    first..first + if is_long_run() { count } else { count / 3 }
}

/// Runs one random order for each seed and compares the totals with the oracle.
#[expect(clippy::cast_precision_loss, reason = "a small number")]
async fn schedules(shape: Shape, seeds: std::ops::Range<u64>) {
    let mut database = new_busy_database(shape).await;
    let mut writers = Writers::new(&mut database).await;
    let (mut events, mut late) = (0.0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        eprintln!("{} seed {seed}", shape.name());
        writers.seed(seed);
        let slice = if seed % 2 == 0 { 50_000 } else { 5 };
        // Two writes of a job in one transaction count once only within one slice.
        writers.writes_twice = slice > 5;
        let after = ends(&mut database.admin).await;
        let mut counting = Counting::start(&database).await.keeping_schema();
        counting.counter.slice_size = SliceSize::new(slice, slice, slice);
        let mut before = counting.run().await.unwrap();
        for _ in 0..STEPS {
            writers.step().await;
            if writers.random.random_bool(0.15) {
                let now = counting.run().await.unwrap();
                assert_eq!(falls(&before, &now), None, "seed {seed}");
                let seen = truth(&mut database.admin, after).await;
                late += u64::from(!differences(&now, &seen).is_empty());
                before = now;
            }
        }
        writers.end().await;
        let counted = counting.settle(&mut database).await;
        let expected = truth(&mut database.admin, after).await;
        let differences = differences(&counted, &expected);
        assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
        events += crate::events::counting::sum(&counted, "marie_jobs_finished_total");
    }
    // Without events, or without events that had to wait, the test would prove nothing.
    eprintln!("{events} finishes, {late} runs saw rows that had to wait");
    assert!(events > 4.0 * count as f64, "{events} finishes in {count} schedules");
    assert!(late > count / 2, "only {late} runs saw rows that had to wait in {count} schedules");
}

#[tokio::test]
async fn mid_shape_counts_each_event_once() {
    schedules(Shape::Mid, seeds(0, SCHEDULES)).await;
}

#[tokio::test]
async fn new_shape_counts_each_event_once() {
    schedules(Shape::New, seeds(SCHEDULES, SCHEDULES)).await;
}

/// The counter dies at random points, during a run too, and its successor continues from the state file.
#[tokio::test]
async fn counter_that_dies_at_any_point_counts_each_event_once() {
    let mut database = new_busy_database(Shape::New).await;
    let mut writers = Writers::new(&mut database).await;
    let folder = Folder::new();
    let seeds = seeds(1000, DYING_SCHEDULES);
    let (mut deaths, count) = (0, seeds.end - seeds.start);
    for seed in seeds {
        eprintln!("seed {seed}");
        writers.seed(seed);
        let _ = std::fs::remove_file(folder.file());
        let after = ends(&mut database.admin).await;
        let mut counting = Counting::start_with(&database, &[&folder.flag()]).await.keeping_schema();
        let mut before = counting.run().await.unwrap();
        for _ in 0..STEPS {
            writers.step().await;
            if writers.random.random_bool(0.2) {
                let life = Duration::from_micros(writers.random.random_range(0..12_000));
                if let Ok(result) = tokio::time::timeout(life, counting.run()).await {
                    let now = result.unwrap();
                    assert_eq!(falls(&before, &now), None, "seed {seed}");
                    before = now;
                } else {
                    counting.restart();
                    deaths += 1;
                }
            }
        }
        writers.end().await;
        let counted = counting.settle(&mut database).await;
        let differences = differences(&counted, &truth(&mut database.admin, after).await);
        assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
    }
    assert!(deaths > count, "only {deaths} deaths in {count} schedules");
}
