//! Random schedules: whatever the order of statements, commits, roll-backs and polls, when the last transaction has
//! ended every total is what the histories say, and none has fallen on the way.

use std::time::Duration;

use marie_exporter::collect::events::SliceSize;
use marie_exporter::demo::shape::Shape;
use rand::RngExt;

use crate::events::counting::{Counting, Folder, falls};
use crate::events::new_busy_database;
use crate::events::truth::{differences, ends, truth};
use crate::events::writers::Writers;
use crate::support::long_tests::is_long_run;

/// How many seeds a shape has. `make test` takes the first third of them.
const SCHEDULES: u64 = 120;
/// How many seeds the test has in which the process dies.
const DYING_SCHEDULES: u64 = 60;
const STEPS: usize = 80;

fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    first..first + if is_long_run() { count } else { count / 3 }
}

/// How often a step is followed by a poll, and how many rows that reads at once.
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
        // A job that its transaction wrote twice is told apart within a slice only.
        writers.writes_twice = slice > 5;
        let after = ends(&mut database.admin).await;
        let mut counting = Counting::start(&database).await.keeping_schema();
        counting.feed.slice = SliceSize::at_most(slice);
        let mut before = counting.poll().await.unwrap();
        for _ in 0..STEPS {
            writers.step().await;
            if writers.random.random_bool(0.15) {
                let now = counting.poll().await.unwrap();
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
    // Schedules without events, or in which nothing had ever to be waited for, would show nothing.
    eprintln!("{events} finishes, {late} polls saw rows that had to wait");
    assert!(events > 4.0 * count as f64, "{events} finishes in {count} schedules");
    assert!(late > count / 2, "only {late} polls saw rows that had to wait in {count} schedules");
}

#[tokio::test]
async fn on_the_mid_shape_every_event_is_counted_once() {
    schedules(Shape::Mid, seeds(0, SCHEDULES)).await;
}

#[tokio::test]
async fn on_the_new_shape_every_event_is_counted_once() {
    schedules(Shape::New, seeds(SCHEDULES, SCHEDULES)).await;
}

/// The process dies at random points, in the middle of polls too, and its successor goes on from the file.
#[tokio::test]
async fn a_process_that_dies_at_any_point_loses_and_doubles_nothing() {
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
        let mut before = counting.poll().await.unwrap();
        for _ in 0..STEPS {
            writers.step().await;
            if writers.random.random_bool(0.2) {
                let life = Duration::from_micros(writers.random.random_range(0..12_000));
                if let Ok(polled) = tokio::time::timeout(life, counting.poll()).await {
                    let now = polled.unwrap();
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
