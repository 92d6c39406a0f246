//! The database accepts connections but does not answer.

use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::{Connection, Reason};
use sqlx::Connection as _;

use crate::faults::signals::{processes, send};
use crate::support::databases::{Database, furnished};
use crate::support::watch::Watch;

/// Suspended processes, which continue when this is dropped.
struct Stopped(Vec<u32>);

impl Stopped {
    /// Suspends the postmaster first, so that it starts no new processes, and then the others.
    fn suspend(server: &Server) -> Self {
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
async fn suspended_server_is_unavailable_until_resumed() {
    let server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    let watch = Watch::serve(&url, &[]);
    let stopped = Stopped::suspend(&server);
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
    // The limit applies to each statement; four statements together take longer.
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
