//! Which series are published: first events appear as an increase, the number of labels is bounded, and queue settings
//! apply.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;

use crate::events::counting::{Counting, Folder, Series, sum, value};
use crate::events::new_database;
use crate::support::databases::Database;

const FINISHED: &str = "marie_jobs_finished_total";
const RUN: &str = "marie_job_run_seconds";

/// Returns the statement that inserts a failed job of this queue.
fn failed_job(queue: &str, number: usize) -> String {
    format!(
        "insert into job (id, name, dag_id, state, started_on, completed_on)
         values (md5('{queue} {number}')::uuid, '{queue}', md5('dag')::uuid, 'failed', now(), now());"
    )
}

#[tokio::test]
async fn known_queues_begin_with_0_and_new_series_until_scraped() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let idle = counting.run().await.unwrap();
    assert_eq!(value(&idle, FINISHED, &["idle", "failed"]), Some(0.0));
    assert_eq!(value(&idle, "marie_job_sla_missed_total", &["idle", "hard"]), Some(0.0));
    assert_eq!(value(&idle, RUN, &["idle", "failed"]), None, "histograms do not begin with 0");

    database.run("select create_queue('new', '{}')").await;
    database.run(&failed_job("new", 0)).await;
    counting.is_scraped = false;
    let seen = |series: &Series| [FINISHED, RUN].map(|family| value(series, family, &["new", "failed"]));
    // A transaction in another database may delay the event.
    counting.run_until("the failure is published", |result| seen(&result.unwrap())[1]).await;
    for _ in 0..3 {
        assert_eq!(seen(&counting.run().await.unwrap()), [Some(0.0); 2]);
    }
    counting.is_scraped = true;
    assert_eq!(seen(&counting.run().await.unwrap()), [Some(1.0); 2]);
}

#[tokio::test]
async fn queues_beyond_limit_are_other_and_counted_ones_stay() {
    let mut database = new_database(Shape::New).await;
    database.run("delete from queue where name = 'idle'").await;
    database.run("select create_queue('busy', '{}'), create_queue('late', '{}')").await;
    let mut counting = Counting::start_with(&database, &["--queues.limit=2"]).await;
    database.run(&(failed_job("busy", 1) + &failed_job("busy", 2) + &failed_job("late", 3))).await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(value(&counted, FINISHED, &["busy", "failed"]), Some(2.0));
    assert_eq!(value(&counted, FINISHED, &["other", "failed"]), Some(1.0));
    // A new queue that sorts before it does not replace it.
    database.run("select create_queue('a new one', '{}')").await;
    database.run(&(failed_job("a new one", 4) + &failed_job("busy", 5))).await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(value(&counted, FINISHED, &["busy", "failed"]), Some(3.0));
    assert_eq!(value(&counted, FINISHED, &["other", "failed"]), Some(2.0));
}

#[tokio::test]
async fn excluded_queue_is_not_counted() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start_with(&database, &["--queues.exclude=idle"]).await;
    database.run(&(failed_job("idle", 1) + &failed_job("extract", 2))).await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, FINISHED), 1.0);
}

#[tokio::test]
async fn planners_beyond_fifty_are_merged_into_other() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let finish = |from: usize, to: usize, each: usize| {
        format!(
            "insert into dag (id, name, planner, state, completed_on)
             select gen_random_uuid(), gen_random_uuid()::text, 'planner ' || n, 'completed', now()
             from generate_series({from}, {to}) as n, generate_series(1, {each})"
        )
    };
    database.run(&(finish(1, 10, 1) + ";" + &finish(11, 60, 3))).await;
    let counted = counting.settle(&mut database).await;
    let runs = |planner| value(&counted, "marie_dag_run_seconds", &[planner, "completed"]);
    assert_eq!((runs("planner 11"), runs("planner 1"), runs("other")), (Some(3.0), None, Some(10.0)));
}

#[tokio::test]
async fn invalid_dates_do_not_stop_counting() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    for (number, date) in ["infinity", "-infinity", "294276-01-01", "4713-01-01 BC"].into_iter().enumerate() {
        database
            .run(&format!(
                "{} update job set started_on = '{date}', start_after = '{date}', created_on = '{date}',
                    soft_sla = '{date}', completed_on = now()
                 where id = md5('extract {number}')::uuid",
                failed_job("extract", number)
            ))
            .await;
    }
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, FINISHED), 4.0);
}

#[tokio::test]
async fn sla_within_a_minute_of_creation_is_ignored() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    for (number, seconds) in [-1, 0, 2, 60, 61].into_iter().enumerate() {
        database
            .run(&format!(
                "insert into job (id, name, dag_id, state, created_on, completed_on, soft_sla, hard_sla)
                 select md5('{number}')::uuid, 'idle', md5('dag')::uuid, 'completed', at, now(),
                    at + interval '{seconds} s', at + interval '{seconds} s'
                 from (select now() - interval '1 hour' as at) as creation"
            ))
            .await;
    }
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, FINISHED), 5.0);
    for sla in ["soft", "hard"] {
        for family in ["marie_job_sla_finished_total", "marie_job_sla_missed_total"] {
            assert_eq!(value(&counted, family, &["idle", sla]), Some(1.0), "{family}");
        }
    }
}

#[tokio::test]
async fn evicted_queue_that_comes_back_keeps_its_counts() {
    // Transactions of other tests on a shared server would spread the events over two runs.
    let server = Server::start().unwrap();
    let mut database = Database::on_server(&server, Shape::New).await;
    database.run("delete from queue where name = 'idle'; select create_queue('first', '{}')").await;
    let mut counting = Counting::start_with(&database, &["--queues.limit=2"]).await;
    database.run(&failed_job("extract", 1)).await;
    database.run(&failed_job("first", 2)).await;
    assert_eq!(sum(&counting.settle(&mut database).await, FINISHED), 2.0);
    // Both queues are deleted. A new queue replaces `extract`, which has events in the same run.
    database
        .run(
            "set session_replication_role = replica; delete from job; delete from queue;
             set session_replication_role = origin; select create_queue('newer', '{}')",
        )
        .await;
    let events = [failed_job("newer", 3), failed_job("newer", 4), failed_job("extract", 5)].concat();
    database.run(&format!("{events} delete from job where name = 'extract'")).await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(value(&counted, FINISHED, &["newer", "failed"]), Some(2.0));
    assert_eq!(value(&counted, FINISHED, &["extract", "failed"]), Some(2.0));
    assert_eq!(value(&counted, FINISHED, &["first", "failed"]), None);
}

#[tokio::test]
async fn series_of_deleted_queue_expire_after_an_hour() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    database.run("select create_queue('short-lived', '{}')").await;
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    database.run(&failed_job("short-lived", 1)).await;
    database
        .run(
            "insert into dag (id, name, planner, state, completed_on)
              values (gen_random_uuid(), 'd', 'old planner', 'completed', now())",
        )
        .await;
    counting.settle(&mut database).await;
    database
        .run(
            "set session_replication_role = replica; delete from job where name = 'short-lived';
              delete from queue where name = 'short-lived'; set session_replication_role = origin",
        )
        .await;
    let has =
        |series: &Series, owner: &str| series.keys().any(|(_, labels)| labels.contains(&owner.to_owned()));
    for (hours, queue, planner) in
        [(0.0, true, true), (0.9, true, true), (1.0, false, true), (24.0, false, false)]
    {
        folder.change(|saved| {
            for times in ["gone", "planners"] {
                for since in saved["presence"][times].as_object_mut().unwrap().values_mut() {
                    *since = (since.as_f64().unwrap() - hours * 3600.0).into();
                }
            }
        });
        counting.restart();
        let now = counting.run().await.unwrap();
        assert_eq!((has(&now, "short-lived"), has(&now, "old planner")), (queue, planner), "{hours} h");
        assert!(has(&now, "extract"));
        // Each step counts its hours from the same time.
        folder.change(|saved| {
            for times in ["gone", "planners"] {
                for since in saved["presence"][times].as_object_mut().unwrap().values_mut() {
                    *since = (since.as_f64().unwrap() + hours * 3600.0).into();
                }
            }
        });
    }
}

/// The scheduler completes control-flow nodes of DAGs with branches repeatedly.
#[tokio::test]
async fn job_completed_again_is_counted_once_until_it_is_reset() {
    let mut database = new_database(Shape::Mid).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    let complete =
        "update job set state = 'completed', completed_on = now(), hard_sla = now() + interval '1 day'
        where name = 'extract'";
    let counts = |series: &Series| {
        ["marie_jobs_finished_total", "marie_job_retries", "marie_job_sla_finished_total"]
            .map(|family| sum(series, family))
    };
    for _ in 0..4 {
        database.run(complete).await;
        assert_eq!(counts(&counting.settle(&mut database).await), [1.0; 3]);
        database.run(complete).await;
        counting.restart();
        assert_eq!(counts(&counting.settle(&mut database).await), [1.0; 3]);
    }
    database.run("update job set state = 'created', completed_on = null where name = 'extract'").await;
    database.run(complete).await;
    assert_eq!(counts(&counting.settle(&mut database).await), [2.0; 3]);
}
