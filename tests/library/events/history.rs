//! Histories that do more than grow: truncated, purged, rewritten, disabled, missing, from another server.

use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::Reason;

use crate::events::counting::{Counting, FINISH, Folder, Series, falls, sum};
use crate::events::new_database;
use crate::support::databases::Database;

async fn finish(database: &mut Database, times: usize) {
    for _ in 0..times {
        database.run(FINISH).await;
    }
}

fn finished(series: &Series) -> f64 {
    sum(series, "marie_jobs_finished_total")
}

/// Asserts that only the next run fails with [`Reason::HistoryLost`] and that no total falls.
async fn fails_once(counting: &mut Counting, database: &mut Database, before: &Series, why: &str) -> Series {
    let failure = counting.run().await.unwrap_err();
    assert_eq!(failure.reason, Reason::HistoryLost, "{failure}");
    assert!(failure.message.contains(why), "{failure}");
    let now = counting.settle(database).await;
    assert_eq!(falls(before, &now), None);
    now
}

#[tokio::test]
async fn truncated_history_with_restarted_ids_fails_once() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    finish(&mut database, 5).await;
    let before = counting.settle(&mut database).await;
    database.run("truncate job_history restart identity").await;
    finish(&mut database, 2).await;
    let now = fails_once(&mut counting, &mut database, &before, "truncated or purged").await;
    assert_eq!(finished(&now), 7.0, "rows with repeated ids are new");
}

#[tokio::test]
async fn restarted_ids_beyond_the_old_ids_are_all_counted() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    finish(&mut database, 2).await;
    counting.settle(&mut database).await;
    let before = counting.run().await.unwrap();
    database.run("truncate job_history restart identity").await;
    finish(&mut database, 9).await;
    let now = fails_once(&mut counting, &mut database, &before, "truncated or purged").await;
    assert_eq!(finished(&now), 11.0);
}

#[tokio::test]
async fn purge_of_old_rows_fails_no_run() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    finish(&mut database, 3).await;
    counting.settle(&mut database).await;
    database
        .run("delete from job_history where history_id < (select max(history_id) from job_history)")
        .await;
    finish(&mut database, 2).await;
    let now = counting.settle(&mut database).await;
    assert_eq!(finished(&now), 5.0);
}

#[tokio::test]
async fn purge_of_all_rows_fails_once_and_counting_continues() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    finish(&mut database, 3).await;
    let before = counting.settle(&mut database).await;
    database.run("delete from job_history").await;
    let now = fails_once(&mut counting, &mut database, &before, "truncated or purged").await;
    assert_eq!(finished(&now), 3.0);
    finish(&mut database, 2).await;
    assert_eq!(finished(&counting.settle(&mut database).await), 5.0);
}

#[tokio::test]
async fn vacuum_full_counts_no_event_twice() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    finish(&mut database, 3).await;
    counting.settle(&mut database).await;
    database.run("vacuum (full, freeze) job_history").await;
    finish(&mut database, 2).await;
    assert_eq!(finished(&counting.settle(&mut database).await), 5.0);
}

#[tokio::test]
async fn disabled_history_fails_until_enabled() {
    for shape in [Shape::Mid, Shape::New] {
        let mut database = new_database(shape).await;
        let mut counting = Counting::start(&database).await;
        finish(&mut database, 1).await;
        counting.settle(&mut database).await;
        database.run("alter table job disable trigger record_job").await;
        finish(&mut database, 1).await;
        for _ in 0..2 {
            let failure = counting.run().await.unwrap_err();
            assert_eq!(failure.reason, Reason::HistoryLost, "{failure}");
            assert!(failure.message.contains("job_history is disabled"), "{failure}");
        }
        database.run("alter table job enable trigger record_job").await;
        finish(&mut database, 1).await;
        assert_eq!(finished(&counting.settle(&mut database).await), 2.0);
    }
}

#[tokio::test]
async fn dropped_trigger_fails_but_trigger_never_seen_does_not() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    database.run("drop trigger record_job on job").await;
    for _ in 0..2 {
        let failure = counting.run().await.unwrap_err();
        assert!(failure.message.contains("job_history is disabled or gone"), "{failure}");
        counting.restart();
    }
    assert!(Counting::new(crate::events::counting::config(&database.url, &[])).run().await.is_ok());
}

#[tokio::test]
async fn jobs_are_counted_without_dag_history() {
    let mut database = new_database(Shape::New).await;
    database.run("drop table dag_history cascade; drop trigger record_dag on dag").await;
    let mut counting = Counting::start(&database).await;
    finish(&mut database, 2).await;
    assert_eq!(finished(&counting.settle(&mut database).await), 2.0);
}

/// Simulates a promotion or a restore in the state file: the server stays, and the file gets another timeline or later
/// transaction ids.
#[tokio::test]
async fn promoted_or_restored_server_fails_once_then_counts() {
    for (place, why) in [("timeline", "restored or promoted"), ("ceiling", "transaction ids went back")] {
        let mut database = new_database(Shape::New).await;
        let folder = Folder::new();
        let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
        finish(&mut database, 2).await;
        let before = counting.settle(&mut database).await;
        folder.change(|saved| match place {
            "timeline" => saved["timeline"] = 77.into(),
            _ => {
                for mark in saved["position"]["marks"].as_array_mut().unwrap() {
                    mark["ceiling"] = 4_000_000_000_u64.into();
                }
            }
        });
        if place == "ceiling" {
            // A restored server lacks the rows that were written since.
            database.run("delete from job_history").await;
        }
        counting.restart();
        finish(&mut database, 1).await;
        let now = fails_once(&mut counting, &mut database, &before, why).await;
        assert_eq!(finished(&now), 2.0, "events before the run are unknown");
        finish(&mut database, 1).await;
        assert_eq!(finished(&counting.settle(&mut database).await), 3.0);
    }
}

#[tokio::test]
async fn history_without_right_for_a_while_is_not_counted_twice() {
    let mut database = new_database(Shape::New).await;
    let reader = database.reader("forgetful_reader").await;
    let mut counting = Counting::new(crate::events::counting::config(&reader, &[]));
    counting.run().await.unwrap();
    let dag = "insert into dag (id, name, planner, state, completed_on)
        select gen_random_uuid(), gen_random_uuid()::text, 'planner', 'completed', now()";
    database.run(dag).await;
    let runs = |series: &Series| sum(series, "marie_dag_run_seconds");
    assert_eq!(runs(&counting.settle(&mut database).await), 1.0);
    database.run("revoke select on dag_history from forgetful_reader").await;
    finish(&mut database, 1).await;
    let without = counting.settle(&mut database).await;
    assert_eq!((runs(&without), finished(&without)), (1.0, 1.0), "jobs are counted meanwhile");
    database.run("grant select on dag_history to forgetful_reader").await;
    counting.settle(&mut database).await;
    database.run(dag).await;
    assert_eq!(runs(&counting.settle(&mut database).await), 2.0);
}
