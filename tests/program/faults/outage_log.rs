//! Log lines at the begin and the end of an outage.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::Connection;

use crate::support::databases::{Database, furnished, run};
use crate::support::process::Process;
use crate::support::scrape::{metrics, until, until_ready};

#[tokio::test]
async fn outage_is_logged_when_it_begins_and_when_it_ends() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    let admin = furnished(&url, Shape::New).await;
    // On a busy machine the load budget would stretch the intervals beyond this test's patience.
    let flags = [
        "--collector.interval=300ms",
        "--collector.slow-interval=300ms",
        "--collector.load-budget=100%",
        "--log.format=json",
    ];
    let mut process = Process::serve(&url, &flags);
    until_ready(process.address());
    admin.close().await.unwrap();

    server.stop().unwrap();
    process.until_logged("the database is not reached");
    until(process.address(), "it is down", |_| {
        metrics(process.address()).value("marie_up", &[]) == Some(0.0)
    });
    server.start_again().unwrap();
    let line = process.until_logged("connected again after ");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO", "{line}");
    let (_, _, log) = process.end("TERM");
    let begins = log.lines().filter(|line| line.contains("the database is not reached")).count();
    // One line for each different error, such as "connection refused" and "starting up".
    assert!((1..=5).contains(&begins), "{begins} lines: {log}");
    assert!(log.lines().filter(|line| line.contains("a run failed")).count() <= 2, "{log}");
}

#[tokio::test]
async fn success_after_failures_is_logged_once() {
    let database = Database::new(Shape::New).await;
    let url = database.url.clone();
    let flags = ["--collector.timeout=400ms", "--collector.interval=300ms", "--collector.load-budget=100%"];
    let mut process = Process::serve(&url, &flags);
    until_ready(process.address());
    let mut locker = database.session().await;
    run(&mut locker, "begin; lock table dag in access exclusive mode").await;
    process.until_logged("a run failed");
    run(&mut locker, "commit").await;
    let line = process.until_logged("a run succeeded again after ");
    assert!(line.contains("INFO") && line.contains("collector=") && line.contains("pace="), "{line}");
}
