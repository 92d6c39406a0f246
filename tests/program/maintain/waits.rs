//! Measures how long another writer waits while a maintaining command waits for an open transaction.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::PgConnection;

use crate::maintain::scheduler::Scheduler;
use crate::support::databases::{self, NO_INDEXES};
use crate::support::process::{command, text};

/// How long the transaction stays open that has written to jobs and DAGs.
const OPEN: Duration = Duration::from_secs(4);

/// Limit for the wait of another writer.
const LONGEST: Duration = Duration::from_secs(1);

const WRITE: &str = "update job set state = state where id = (select min(id::text)::uuid from job);
    update dag set state = state where id = (select min(id::text)::uuid from dag)";

/// Writes every 50 ms until `stop` is set. Returns the longest time of one write.
async fn write(mut session: PgConnection, stop: Arc<AtomicBool>) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        databases::run(&mut session, WRITE).await;
        longest = longest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    longest
}

/// Runs a command beside an open transaction that has written to `tables`, and beside a second writer. Returns the longest
/// wait of that writer.
async fn longest_wait(scheduler: &Scheduler, arguments: &[&str], tables: &[&str]) -> Duration {
    let mut open = scheduler.database.session().await;
    // The rows differ from those of the second writer.
    let changes = tables.iter().map(|table| {
        format!("; update {table} set state = state where id = (select max(id::text)::uuid from {table})")
    });
    let hold = format!("begin{}", changes.collect::<String>());
    databases::run(&mut open, &hold).await;
    let began = Instant::now();
    let mut run = command(&[&["maintain"], arguments, &["--execute"]].concat());
    run.args(["--database-url", &scheduler.database.url]);
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"marie_scheduler\n").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(scheduler.database.session().await, Arc::clone(&stop)));
    let command = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    tokio::time::sleep(OPEN).await;
    databases::run(&mut open, "commit").await;
    let output = command.await.unwrap();
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    let longest = writer.await.unwrap();
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {printed}{errors}");
    assert!(errors.contains("locked; trying again after a pause"), "{arguments:?} did not wait: {errors}");
    eprintln!("{arguments:?} took {took:?}; another writer waited {longest:?} at most");
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_waits_less_than_a_second_for_table_changes() {
    let mut scheduler = Scheduler::new(Shape::Mid, 40, 0.6).await;
    scheduler.database.run(NO_INDEXES).await;
    let both = &["job", "dag"][..];
    for (arguments, tables) in [
        // The index of dag would wait for a transaction that has written to dag, without a lock.
        (&["indexes"][..], &["job"][..]),
        (&["queue", "create", "added"], both),
        (&["purge", "all"], both),
    ] {
        let longest = longest_wait(&scheduler, arguments, tables).await;
        assert!(longest < LONGEST, "{arguments:?}: {longest:?}");
    }
}
