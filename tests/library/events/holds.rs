//! The first value of a new series is published until the hold has passed, so that every scraper sees it.

use std::time::Duration;

use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::Reason;

use crate::events::counting::{Counting, FINISH, Folder, Series, counted_until, sum, value};
use crate::events::new_database;
use crate::support::databases::Database;

const FINISHED: &str = "marie_jobs_finished_total";
const RUN: &str = "marie_job_run_seconds";
const HOLD: &str = "--events.new-series-hold=2m";

const NEW_FAILURE: &str = "select create_queue('new', '{}');
    insert into job (id, name, dag_id, state, started_on, completed_on)
    values (gen_random_uuid(), 'new', md5('dag')::uuid, 'failed', now(), now())";

fn new_failures(series: &Series) -> [Option<f64>; 2] {
    [FINISHED, RUN].map(|family| value(series, family, &["new", "failed"]))
}

/// Runs the counter every 15 s of the process's clock, with or without a scrape after each run.
async fn pass(counting: &mut Counting, seconds: u64, is_scraped: bool) -> Vec<Series> {
    let mut published = Vec::new();
    for _ in 0..seconds / 15 {
        counting.now += Duration::from_secs(15);
        counting.is_scraped = is_scraped;
        published.push(counting.run().await.unwrap());
    }
    published
}

/// Runs the counter until the new queue's failure is counted, though not yet published.
async fn until_introduced(counting: &mut Counting, database: &mut Database) {
    counting.is_scraped = false;
    let now = database.clock().await;
    counting
        .run_until("the failure is counted", |result| (counted_until(&result.unwrap()) > now).then_some(()))
        .await;
}

#[tokio::test]
async fn two_scrapers_see_first_failure_of_new_queue() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start_with(&database, &[HOLD]).await;
    database.run(NEW_FAILURE).await;
    until_introduced(&mut counting, &mut database).await;
    for series in pass(&mut counting, 300, false).await {
        assert_eq!(new_failures(&series), [Some(0.0); 2], "the series has not been scraped");
    }
    let published = pass(&mut counting, 180, true).await;
    // Two servers scrape each half minute, 15 s apart.
    for phase in 0..2 {
        let seen: Vec<_> = published.iter().skip(phase).step_by(2).map(new_failures).collect();
        assert!(seen[..3].iter().all(|seen| *seen == [Some(0.0); 2]), "phase {phase}: {seen:?}");
        assert_eq!(seen.last(), Some(&[Some(1.0); 2]), "phase {phase}");
    }
}

#[tokio::test]
async fn restored_series_keeps_saved_value_during_the_hold() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&database, &[HOLD, &folder.flag()]).await;
    database.run(FINISH).await;
    counting.settle(&mut database).await;
    let published = pass(&mut counting, 150, true).await;
    assert_eq!(sum(published.last().unwrap(), FINISHED), 1.0);
    // The job finishes again while the process is down, and the process dies again during the hold.
    database.run(FINISH).await;
    for _ in 0..2 {
        counting.restart();
        until_introduced(&mut counting, &mut database).await;
        for series in pass(&mut counting, 105, true).await {
            assert_eq!(sum(&series, FINISHED), 1.0, "the saved value is published");
        }
    }
    assert_eq!(sum(pass(&mut counting, 60, true).await.last().unwrap(), FINISHED), 2.0);
}

/// The first slice contains a new series and the second fails, so the run publishes nothing.
#[tokio::test]
async fn series_counted_in_failed_run_begins_with_zero() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    counting.run().await.unwrap();
    database.run(NEW_FAILURE).await;
    // The history of DAGs is read last and fails.
    database
        .run("insert into dag (id, name, state, completed_on) values (gen_random_uuid(), 'late', 'completed', now());
              alter table dag_history alter created_on type text")
        .await;
    // Runs succeed while a session elsewhere delays counting, until one fails.
    let mut published = Vec::new();
    let failure = counting
        .run_until("a run fails", |result| match result {
            Ok(series) => {
                published.push(series);
                None
            }
            Err(failure) => (failure.reason != Reason::HistoryLost).then_some(failure),
        })
        .await;
    assert!(failure.message.contains("dag_events.sql"), "{failure}");
    database
        .run("alter table dag_history alter created_on type timestamptz using created_on::timestamptz")
        .await;
    counting
        .run_until("the failure is counted", |result| {
            published.push(result.ok()?);
            (new_failures(published.last()?) == [Some(1.0); 2]).then_some(())
        })
        .await;
    for (index, family) in [FINISHED, RUN].into_iter().enumerate() {
        let values: Vec<f64> = published.iter().filter_map(|series| new_failures(series)[index]).collect();
        assert_eq!(values.first(), Some(&0.0), "{family}: {values:?}");
        assert_eq!(values.last(), Some(&1.0), "{family}: {values:?}");
    }
}
