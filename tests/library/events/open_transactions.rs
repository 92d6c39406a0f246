//! Transactions that stay open while others come and go.

use marie_exporter::demo::shape::Shape;

use crate::events::counting::{Counting, FINISH, counted_until, sum};
use crate::events::new_busy_database;
use crate::support::databases::run;

#[tokio::test]
async fn long_transaction_is_counted_at_commit_and_shows_as_lag() {
    let mut database = new_busy_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let mut long = database.session().await;
    run(&mut long, &format!("begin; {FINISH}")).await;
    let opened = database.clock().await;
    // Later ones commit at once, with higher history_ids; they wait with it, or it could be lost.
    for number in 0..3 {
        database
            .run(&format!(
                "insert into job (id, name, dag_id, state, completed_on)
                 values (md5('{number}')::uuid, 'idle', md5('dag')::uuid, 'failed', now())"
            ))
            .await;
        let counted = counting.poll().await.unwrap();
        assert_eq!(sum(&counted, "marie_jobs_finished_total"), 0.0);
        assert!(counted_until(&counted) <= opened, "it claims more than it counted");
    }
    run(&mut long, "commit").await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 4.0);
}

#[tokio::test]
async fn what_a_long_transaction_takes_back_is_never_counted() {
    let mut database = new_busy_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let mut long = database.session().await;
    run(&mut long, &format!("begin; {FINISH}")).await;
    counting.poll().await.unwrap();
    run(&mut long, "rollback").await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 0.0);
}

#[tokio::test]
async fn transaction_open_at_start_is_not_counted_but_later_ones() {
    let mut database = new_busy_database(Shape::New).await;
    let mut long = database.session().await;
    run(&mut long, &format!("begin; {FINISH}")).await;
    let mut counting = Counting::start(&database).await;
    run(&mut long, "commit").await;
    database.run("update job set state = 'created', completed_on = null, created_on = now()").await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 0.0);
    assert_eq!(sum(&counted, "marie_jobs_created_total"), 1.0);
}

/// `pg_dump` and the like hold nothing up.
#[tokio::test]
async fn a_transaction_that_only_reads_holds_nothing_up() {
    let mut database = new_busy_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let mut reader = database.session().await;
    run(&mut reader, "begin isolation level repeatable read; select count(*) from job").await;
    database.run(FINISH).await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 1.0);
    run(&mut reader, "commit").await;
}
