//! Transactions that stay open while others begin and end.

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
    // Later transactions commit first with higher history_ids. They must wait, or the long one would be lost.
    for number in 0..3 {
        database
            .run(&format!(
                "insert into job (id, name, dag_id, state, completed_on)
                 values (md5('{number}')::uuid, 'idle', md5('dag')::uuid, 'failed', now())"
            ))
            .await;
        let counted = counting.run().await.unwrap();
        assert_eq!(sum(&counted, "marie_jobs_finished_total"), 0.0);
        assert!(counted_until(&counted) <= opened, "the timestamp covers uncounted events");
    }
    run(&mut long, "commit").await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 4.0);
}

#[tokio::test]
async fn rolled_back_transaction_is_never_counted() {
    let mut database = new_busy_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let mut long = database.session().await;
    run(&mut long, &format!("begin; {FINISH}")).await;
    counting.run().await.unwrap();
    run(&mut long, "rollback").await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 0.0);
}

#[tokio::test]
async fn transaction_open_at_start_is_not_counted() {
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

/// `pg_dump` opens such transactions.
#[tokio::test]
async fn reading_transaction_does_not_delay_counting() {
    let mut database = new_busy_database(Shape::New).await;
    let mut counting = Counting::start(&database).await;
    let mut reader = database.session().await;
    run(&mut reader, "begin isolation level repeatable read; select count(*) from job").await;
    database.run(FINISH).await;
    let counted = counting.settle(&mut database).await;
    assert_eq!(sum(&counted, "marie_jobs_finished_total"), 1.0);
    run(&mut reader, "commit").await;
}
