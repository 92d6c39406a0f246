//! SIGTERM and SIGINT end `serve` within two seconds, also if a database, a file or a client hangs.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::Row;

use crate::support::databases::Database;
use crate::support::process::{Process, command, send};
use crate::support::scrape::{get, until, until_ready};

/// Sends the signal and asserts that the process ends with 0 within two seconds.
fn assert_ends(process: Process, signal: &str) {
    let (status, took, log) = process.end(signal);
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(2), "it took {took:?}: {log}");
    assert!(log.contains(&format!("SIG{signal}: shutting down")), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn both_signals_end_serve_and_close_its_sessions() {
    let mut database = Database::new(Shape::New).await;
    for signal in ["TERM", "INT"] {
        let process =
            Process::serve(&database.url, &["--collector.interval=1h", "--collector.slow-interval=1h"]);
        until_ready(process.address());
        assert_ends(process, signal);
        let ours = "select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'marie-exporter'";
        let deadline = Instant::now() + Duration::from_secs(5);
        while sqlx::query(ours).fetch_one(&mut database.admin).await.unwrap().get::<i64, _>(0) > 0 {
            assert!(Instant::now() < deadline, "a session is still open");
        }
    }
}

#[test]
fn silent_database_does_not_delay_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://absent@{}/none", silent.local_addr().unwrap());
    let process = Process::serve(&url, &[]);
    let _accepted = silent.accept().unwrap();
    assert_eq!(get(&format!("{}/metrics", process.address())).status, 200);
    assert_ends(process, "TERM");
}

#[test]
fn blocking_url_file_does_not_delay_answers_or_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("url").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let flags = ["serve", "--web.listen-address=127.0.0.1:0", "--database-url-file", &pipe];
    let process = Process::start(command(&flags), 1);
    let page =
        until(process.address(), "the reason is shown", |answer| answer.text().contains("cannot be read"));
    assert_eq!(page.status, 200);
    assert_ends(process, "TERM");
}

#[tokio::test]
async fn stopped_server_process_does_not_delay_the_end() {
    let mut database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &[]);
    let address = process.address().to_owned();
    until_ready(&address);
    let ours = "select pid from pg_stat_activity
                where datname = current_database() and application_name = 'marie-exporter'";
    let rows = sqlx::query(ours).fetch_all(&mut database.admin).await.unwrap();
    let backends: Vec<u32> = rows.iter().map(|row| row.get::<i32, _>(0).cast_unsigned()).collect();
    assert_eq!(backends.len(), 1);
    for backend in &backends {
        send("STOP", *backend);
    }
    assert_eq!(get(&format!("{address}/metrics")).status, 200);
    assert_eq!(get(&format!("{address}/-/healthy")).status, 200);
    let outcome = std::panic::catch_unwind(|| assert_ends(process, "TERM"));
    for backend in &backends {
        send("CONT", *backend);
    }
    outcome.unwrap();
}

#[tokio::test]
async fn connected_clients_do_not_delay_the_end() {
    let database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &[]);
    let address = process.address().trim_start_matches("http://").to_owned();
    let _idle = TcpStream::connect(&address).unwrap();
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").unwrap();
    until_ready(process.address());
    assert_ends(process, "INT");
}

#[tokio::test]
async fn query_of_ended_exporter_ends_with_its_timeout() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "alter table version rename to version_rows;
             create view version as select * from version_rows where (select true from pg_sleep(60))",
        )
        .await;
    let process = Process::serve(&database.url, &["--collector.timeout=2s"]);
    let running = "select count(*) from pg_stat_activity where datname = current_database()
                   and application_name = 'marie-exporter' and state <> 'idle' and wait_event = 'PgSleep'";
    let mut count =
        async || sqlx::query(running).fetch_one(&mut database.admin).await.unwrap().get::<i64, _>(0);
    let deadline = Instant::now() + Duration::from_secs(20);
    while count().await == 0 {
        assert!(Instant::now() < deadline, "the query does not run");
    }
    assert_ends(process, "TERM");
    let deadline = Instant::now() + Duration::from_millis(3500);
    while count().await > 0 {
        assert!(Instant::now() < deadline, "the query still runs");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
