//! Histories that are rewritten while events wait for an open transaction.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::Reason;

use super::{Feeds, REWRITES, counts, finish, old_events, rewrite};
use crate::events::counting::{Counting, Folder, Series};
use crate::support::databases::{Database, run};

/// Creates a database on a separate server, because open transactions of other tests would delay counting.
async fn undisturbed_database() -> (Server, Database) {
    let server = Server::start().unwrap();
    let database = Database::on_server(&server, Shape::New).await;
    (server, database)
}

/// Polls; the first poll may fail with [`Reason::HistoryLost`].
async fn poll_through_loss(counting: &mut Counting) -> Series {
    match counting.poll().await {
        Err(failure) if failure.reason == Reason::HistoryLost => counting.poll().await.unwrap(),
        answer => answer.unwrap(),
    }
}

#[tokio::test]
async fn finish_behind_open_transaction_survives_rewrite() {
    let (_server, mut database) = undisturbed_database().await;
    let folder = Folder::new();
    old_events(&mut database).await;
    let mut feeds = Feeds::start(&mut database, &folder).await;
    feeds.finish_and_count(&mut database, "the first finish").await;
    let mut open = database.session().await;
    run(&mut open, "begin; update version set cron_on = now()").await;
    finish(&mut database).await;
    for feed in [&mut feeds.running, &mut feeds.restarted] {
        assert_eq!(counts(&feed.poll().await.unwrap()), (1.0, 1.0), "the second finish waits");
    }
    let (_, volatile_default) = REWRITES[0];
    for table in ["job_history", "dag_history"] {
        rewrite(&mut database, table, volatile_default).await;
    }
    feeds.restarted.restart();
    run(&mut open, "commit").await;
    feeds.expected += 1.0;
    feeds.count(&mut database, "the finish that waited").await;
}

/// The transaction of the rewrite is later than the window that contains the finish.
#[tokio::test]
async fn finish_survives_rewrite_behind_another_open_transaction() {
    let (_server, mut database) = undisturbed_database().await;
    let folder = Folder::new();
    old_events(&mut database).await;
    let mut feeds = Feeds::start(&mut database, &folder).await;
    feeds.finish_and_count(&mut database, "the first finish").await;
    let changed = ["volatile default", "other type", "update", "delete and reload", "truncate and reload"];
    for (name, statements) in REWRITES.iter().filter(|(name, _)| changed.contains(name)) {
        let mut first = database.session().await;
        run(&mut first, "begin; select pg_current_xact_id()").await;
        finish(&mut database).await;
        for feed in [&mut feeds.running, &mut feeds.restarted] {
            feed.poll().await.unwrap();
        }
        let mut second = database.session().await;
        run(&mut second, "begin; select pg_current_xact_id()").await;
        for table in ["job_history", "dag_history"] {
            rewrite(&mut database, table, statements).await;
        }
        feeds.restarted.restart();
        run(&mut first, "commit").await;
        for feed in [&mut feeds.running, &mut feeds.restarted] {
            let counted = poll_through_loss(feed).await;
            assert_eq!(counts(&counted), (feeds.expected, feeds.expected), "{name}: the finish waits");
        }
        run(&mut second, "commit").await;
        feeds.expected += 1.0;
        feeds.count(&mut database, name).await;
    }
}

/// Only the rows reveal that partitions were rewritten, and they look the same at each poll.
#[tokio::test]
async fn rewrite_of_partitions_fails_one_poll() {
    let (_server, mut database) = undisturbed_database().await;
    old_events(&mut database).await;
    let statements = |what: &str| REWRITES.iter().find(|(name, _)| *name == what).unwrap().1;
    rewrite(&mut database, "job_history", statements("conversion to partitions")).await;
    let mut counting = Counting::start(&database).await;
    let mut open = database.session().await;
    run(&mut open, "begin; update version set cron_on = now()").await;
    finish(&mut database).await;
    counting.poll().await.unwrap();
    rewrite(&mut database, "job_history", statements("volatile default")).await;
    let failure = counting.poll().await.unwrap_err();
    assert!(failure.message.contains("was rewritten"), "{failure}");
    for _ in 0..2 {
        counting.poll().await.unwrap();
    }
    run(&mut open, "commit").await;
    assert_eq!(counts(&counting.settle(&mut database).await), (1.0, 1.0));
}
