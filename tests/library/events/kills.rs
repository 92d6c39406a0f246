//! The binary is killed repeatedly while jobs finish.

use std::time::Duration;

use marie_exporter::demo::shape::Shape;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::events::counting::{Folder, PATIENCE};
use crate::events::new_busy_database;
use crate::events::truth::{ends, truth};
use crate::events::writers::Writers;
use crate::support::databases::Database;
use crate::support::process::{Process, send};
use crate::support::scrape;

const KILLS: usize = 12;
const UNTIL: &str = "marie_events_counted_until_timestamp_seconds";

fn serve(database: &Database, folder: &Folder) -> Process {
    let flags = [&folder.flag(), "--collector.interval=10ms", "--collector.load-budget=100%"];
    Process::serve(&database.url, &flags)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_at_any_moment_counts_each_event_once() {
    let mut database = new_busy_database(Shape::New).await;
    let mut writers = Writers::new(&mut database).await;
    let mut random = StdRng::seed_from_u64(7);
    let folder = Folder::new();
    let after = ends(&mut database.admin).await;
    let first = serve(&database, &folder);
    tokio::task::block_in_place(|| scrape::until_ready(first.address()));
    let mut process = Some(first);
    for kill in 0..KILLS {
        let victim = process.take().unwrap_or_else(|| serve(&database, &folder));
        for _ in 0..random.random_range(20..120) {
            writers.step().await;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
        send("KILL", victim.id());
        drop(victim);
        eprintln!("killed {}", kill + 1);
    }
    writers.end().await;
    let now = database.clock().await;
    let last = serve(&database, &folder);
    let expected = truth(&mut database.admin, after).await;
    let finished: f64 = expected
        .iter()
        .filter(|((family, _), _)| *family == "marie_jobs_finished_total")
        .map(|(_, value)| value.number())
        .sum();
    assert!(finished > 50.0, "only {finished} finishes");
    let deadline = std::time::Instant::now() + PATIENCE;
    tokio::task::block_in_place(|| {
        loop {
            let metrics = scrape::metrics(last.address());
            let is_counted = metrics.value(UNTIL, &[]).is_some_and(|until| until > now);
            if is_counted && metrics.count("marie_jobs_finished_total", &[]) == finished {
                break;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{} finishes counted, {finished} expected",
                metrics.count("marie_jobs_finished_total", &[])
            );
        }
    });
    // Everything has been read, so events counted twice would show.
    let metrics = tokio::task::block_in_place(|| scrape::metrics(last.address()));
    assert_eq!(metrics.count("marie_jobs_finished_total", &[]), finished);
}
