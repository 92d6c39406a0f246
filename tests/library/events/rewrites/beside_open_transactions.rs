//! Histories that are rewritten while events wait for an open transaction.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::Reason;

use super::{Counters, REWRITES, counts, finish, old_events, rewrite};
use crate::events::counting::{Counting, Folder, Series};
use crate::support::databases::{Database, run};

/// Creates a database on a separate server, because open transactions of other tests would delay counting.
async fn undisturbed_database() -> (Server, Database) {
    let server = Server::start().unwrap();
    let database = Database::on_server(&server, Shape::New).await;
    (server, database)
}

/// Runs the counter; the first run may fail with [`Reason::HistoryLost`].
async fn run_through_loss(counting: &mut Counting) -> Series {
    match counting.run().await {
        Err(failure) if failure.reason == Reason::HistoryLost => counting.run().await.unwrap(),
        answer => answer.unwrap(),
    }
}

#[tokio::test]
async fn finish_behind_open_transaction_survives_rewrite() {
    let (_server, mut database) = undisturbed_database().await;
    let folder = Folder::new();
    old_events(&mut database).await;
    let mut counters = Counters::start(&mut database, &folder).await;
    counters.finish_and_count(&mut database, "the first finish").await;
    let mut open = database.session().await;
    run(&mut open, "begin; update version set cron_on = now()").await;
    finish(&mut database).await;
    for counter in [&mut counters.running, &mut counters.restarted] {
        assert_eq!(counts(&counter.run().await.unwrap()), (1.0, 1.0), "the second finish waits");
    }
    let (_, volatile_default) = REWRITES[0];
    for table in ["job_history", "dag_history"] {
        rewrite(&mut database, table, volatile_default).await;
    }
    counters.restarted.restart();
    run(&mut open, "commit").await;
    counters.expected += 1.0;
    counters.count(&mut database, "the finish that waited").await;
}

/// The transaction of the rewrite is later than the window that contains the finish.
#[tokio::test]
async fn finish_survives_rewrite_behind_another_open_transaction() {
    let (_server, mut database) = undisturbed_database().await;
    let folder = Folder::new();
    old_events(&mut database).await;
    let mut counters = Counters::start(&mut database, &folder).await;
    counters.finish_and_count(&mut database, "the first finish").await;
    let changed = ["volatile default", "other type", "update", "delete and reload", "truncate and reload"];
    for (name, statements) in REWRITES.iter().filter(|(name, _)| changed.contains(name)) {
        let mut first = database.session().await;
        run(&mut first, "begin; select pg_current_xact_id()").await;
        finish(&mut database).await;
        for counter in [&mut counters.running, &mut counters.restarted] {
            counter.run().await.unwrap();
        }
        let mut second = database.session().await;
        run(&mut second, "begin; select pg_current_xact_id()").await;
        for table in ["job_history", "dag_history"] {
            rewrite(&mut database, table, statements).await;
        }
        counters.restarted.restart();
        run(&mut first, "commit").await;
        for counter in [&mut counters.running, &mut counters.restarted] {
            let counted = run_through_loss(counter).await;
            assert_eq!(counts(&counted), (counters.expected, counters.expected), "{name}: the finish waits");
        }
        run(&mut second, "commit").await;
        counters.expected += 1.0;
        counters.count(&mut database, name).await;
    }
}

/// Only the rows reveal that partitions were rewritten, and they look the same at each run.
#[tokio::test]
async fn rewrite_of_partitions_fails_one_run() {
    let (_server, mut database) = undisturbed_database().await;
    old_events(&mut database).await;
    let statements = |what: &str| REWRITES.iter().find(|(name, _)| *name == what).unwrap().1;
    rewrite(&mut database, "job_history", statements("conversion to partitions")).await;
    let mut counting = Counting::start(&database).await;
    let mut open = database.session().await;
    run(&mut open, "begin; update version set cron_on = now()").await;
    finish(&mut database).await;
    counting.run().await.unwrap();
    rewrite(&mut database, "job_history", statements("volatile default")).await;
    let failure = counting.run().await.unwrap_err();
    assert!(failure.message.contains("was rewritten"), "{failure}");
    for _ in 0..2 {
        counting.run().await.unwrap();
    }
    run(&mut open, "commit").await;
    assert_eq!(counts(&counting.settle(&mut database).await), (1.0, 1.0));
}
