//! A counter with a backlog reads in slices, and adapts their size to time-outs.

use marie_exporter::collect::slice::SliceSize;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::Reason;

use crate::events::counting::{Counting, config, counted_until, sum};
use crate::events::new_database;
use crate::support::databases::Database;

/// Writes finishes of different jobs directly into the history, in one transaction.
async fn finishes(database: &mut Database, count: usize) {
    database
        .run(&format!(
            "insert into job_history (id, name, priority, state, retry_limit, retry_count, retry_delay, retry_backoff,
                start_after, started_on, expire_in, created_on, completed_on, keep_until, dag_id, job_level,
                sla_miss_logged)
             select gen_random_uuid(), 'extract', 0, 'completed', 2, 0, 0, false, now(), now(), '0', now(), now(),
                now(), md5('dag')::uuid, 0, false
             from generate_series(1, {count})"
        ))
        .await;
}

#[tokio::test]
async fn backlog_is_read_in_slices_with_its_lag_published() {
    let mut database = new_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    counting.counter.slice_size = SliceSize::new(500, 500, 500);
    counting.counter.time_limit = std::time::Duration::ZERO;
    let start = counted_until(&counting.run().await.unwrap());
    finishes(&mut database, 2000).await;
    let written = database.clock().await;
    let mut seen = Vec::new();
    while seen.last() != Some(&2000.0) {
        let counted = counting.run().await.unwrap();
        let finished = sum(&counted, "marie_jobs_finished_total");
        let until = counted_until(&counted);
        assert!(until >= start && (until < written || finished == 2000.0), "{finished} until {until}");
        if seen.last() != Some(&finished) {
            seen.push(finished);
        }
        assert!(seen.len() < 20, "{seen:?}");
    }
    // At first another test's transaction may delay counting.
    seen.retain(|finished| *finished > 0.0);
    assert_eq!(seen, [500.0, 1000.0, 1500.0, 2000.0]);
}

#[tokio::test]
async fn slices_shrink_after_timeouts_and_grow_again() {
    let mut database = new_database(Shape::New).await;
    let reader = database.reader("slow_reader").await;
    // A row takes three milliseconds: 400 rows time out, 100 rows do not.
    database
        .run(
            "create type slow_count as enum ('0');
             create function slow(slow_count) returns bigint language plpgsql volatile as
                $$ begin perform pg_sleep(0.0015); return 0; end $$;
             create cast (slow_count as bigint) with function slow(slow_count) as implicit;
             create function quick(int) returns slow_count language sql as $$ select '0'::slow_count $$;
             create cast (int as slow_count) with function quick(int) as assignment;
             alter table job_history alter retry_count type slow_count using '0'",
        )
        .await;
    let mut counting = Counting::new(config(&reader, &["--collector.timeout=1s"]));
    counting.run().await.unwrap();
    finishes(&mut database, 500).await;
    counting.counter.slice_size = SliceSize::new(1600, 10, 1600);
    let mut timeouts = 0;
    counting
        .run_until("two slices time out", |result| {
            match result {
                Err(failure) => {
                    assert_eq!(failure.reason, Reason::Timeout);
                    timeouts += 1;
                }
                Ok(counted) => assert_eq!(sum(&counted, "marie_jobs_finished_total"), 0.0),
            }
            (timeouts == 2).then_some(())
        })
        .await;
    let counted = counting
        .run_until("a finish is counted", |result| {
            let counted = result.unwrap();
            (sum(&counted, "marie_jobs_finished_total") > 0.0).then_some(counted)
        })
        .await;
    assert!(counting.counter.slice_size.get() <= 100, "{:?}", counting.counter.slice_size);
    assert!(sum(&counted, "marie_jobs_finished_total") < 500.0, "a run ends after half a second");
    assert_eq!(sum(&counting.settle(&mut database).await, "marie_jobs_finished_total"), 500.0);

    // Full slices that take less time than they may let the size grow.
    database.run("alter table job_history alter retry_count type int using 0").await;
    let _ = counting.run().await;
    for _ in 0..10 {
        if counting.counter.slice_size.get() == 1600 {
            return;
        }
        finishes(&mut database, 2000).await;
        counting.settle(&mut database).await;
    }
    panic!("the size stayed at {:?}", counting.counter.slice_size);
}
