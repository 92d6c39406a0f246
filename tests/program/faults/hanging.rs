//! The database is there and does not answer: stopped, locked, slow.

use std::time::{Duration, Instant};

use marie_exporter::database::{Connection, Reason};
use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::Connection as _;

use crate::faults::signals::{processes, send};
use crate::support::databases::{Database, furnished, run};
use crate::support::watch::Watch;

/// Processes that do not run, and do again when this is dropped.
struct Stopped(Vec<u32>);

impl Stopped {
    /// The first process before the others, so that it starts no new ones.
    fn all_of(server: &Server) -> Self {
        let mut stopped = Stopped(vec![server.postmaster_pid()]);
        send("STOP", &stopped.0);
        stopped.0 = processes(server);
        send("STOP", &stopped.0);
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        send("CONT", &self.0);
    }
}

#[tokio::test]
async fn a_server_that_is_stopped_and_continued_is_unavailable_meanwhile() {
    let server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    let watch = Watch::serve(&url, &[]);
    let stopped = Stopped::all_of(&server);
    watch.until_unavailable("no answer within 5 s");
    drop(stopped);
    watch.recovers();
    watch.end();
}

#[tokio::test]
async fn unanswered_statement_makes_connection_unusable() {
    let database = Database::new(Shape::New).await;
    let mut connection = Connection::new(database.session().await);
    connection.set_limit(Duration::from_millis(300));
    // Each statement has the limit for itself: four of them take longer.
    for _ in 0..4 {
        connection.execute(sqlx::query("select pg_sleep(0.1)")).await.unwrap();
    }
    let began = Instant::now();
    let failure = connection.execute(sqlx::query("select pg_sleep(20)")).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Unavailable, "{failure}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let next = connection.fetch_one(sqlx::query("select 1")).await.unwrap_err();
    assert!(next.message.contains("has not been answered"), "{next}");
}

#[tokio::test]
async fn dropped_statement_makes_connection_unusable() {
    let database = Database::new(Shape::New).await;
    let mut connection = Connection::new(database.session().await);
    let statement = connection.execute(sqlx::query("select pg_sleep(20)"));
    tokio::time::timeout(Duration::from_millis(100), statement).await.unwrap_err();
    let next = connection.fetch_one(sqlx::query("select 1")).await.unwrap_err();
    assert!(next.message.contains("has not been answered"), "{next}");
}

#[tokio::test]
async fn a_lock_on_job_fails_those_that_read_it_and_nobody_else() {
    let database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &[]);
    let mut session = database.session().await;
    run(&mut session, "begin; lock table job in access exclusive mode").await;
    for collector in ["statistics", "stuck", "sla"] {
        watch.until_fails(collector, "lock");
    }
    let metrics = watch.metrics();
    assert!(metrics.has("marie_jobs"), "the last numbers are kept for a while");
    let queues = [("collector", "queues"), ("lane", "fast")];
    assert_eq!(metrics.value("marie_collector_success", &queues), Some(1.0));
    assert_eq!(metrics.count("marie_collector_failures_total", &queues), 0.0);
    run(&mut session, "rollback").await;
    watch.recovers();
    watch.end();
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_given_up_until_it_is_fast_again() {
    let mut database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &["--collector.timeout=500ms"]);
    database
        .run(
            "begin;
             alter table version rename to version_rows;
             create view version as select * from version_rows where (select true from pg_sleep(60));
             commit",
        )
        .await;
    let metrics = watch.until_fails("scheduler", "timeout");
    let stuck = [("collector", "stuck"), ("lane", "fast")];
    assert_eq!(metrics.value("marie_collector_success", &stuck), Some(1.0));
    database.run("begin; drop view version; alter table version_rows rename to version; commit").await;
    watch.recovers();
    watch.end();
}
