//! Many clients, slow clients and malformed requests: other clients are still served, and no query is added.

use std::time::{Duration, Instant};

use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::scrape;
use marie_exporter::demo::shape::Shape;
use sqlx::Row;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Sockets that the tests of this file have open at the same time: 1024 files is a usual limit.
static SOCKETS: Semaphore = Semaphore::const_new(900);

const HALF_A_HEAD: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n";
const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

struct Exporter {
    database: Database,
    process: Process,
}

impl Exporter {
    /// An exporter that has run each collector once and then pauses.
    async fn resting() -> Self {
        let database = Database::new(Shape::New).await;
        let process =
            Process::serve(&database.url, &["--collector.interval=1h", "--collector.slow-interval=1h"]);
        scrape::until_ready(process.address());
        Exporter { database, process }
    }

    fn address(&self) -> &str {
        self.process.address().trim_start_matches("http://")
    }

    async fn connect(&self, text: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(text).await.unwrap();
        stream
    }

    /// Opens so many connections that have sent half of a request.
    async fn half_open(&self, clients: usize) -> Vec<TcpStream> {
        let mut streams = Vec::new();
        for _ in 0..clients {
            streams.push(self.connect(HALF_A_HEAD).await);
        }
        streams
    }

    async fn scrape(&self) -> (String, Duration) {
        let began = Instant::now();
        (read(self.connect(REQUEST).await).await, began.elapsed())
    }
}

/// Reads until the server closes the connection.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A server that closes while we still send resets the connection.
    let _ = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn half_open_connections_are_closed_and_delay_no_scrape() {
    let _sockets = SOCKETS.acquire_many(200).await.unwrap();
    let exporter = Exporter::resting().await;
    let half_open = exporter.half_open(200).await;
    let began = Instant::now();
    for _ in 0..3 {
        let (answer, took) = exporter.scrape().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    for stream in half_open {
        read(stream).await;
    }
    let took = began.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(20), "closed after {took:?}");
}

#[tokio::test]
async fn idle_connections_beyond_all_places_end_for_a_scrape() {
    let _sockets = SOCKETS.acquire_many(610).await.unwrap();
    let exporter = Exporter::resting().await;
    let _half_open = exporter.half_open(600).await;
    let (answer, took) = exporter.scrape().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let files = std::fs::read_dir(format!("/proc/{}/fd", exporter.process.id()));
    if let Ok(files) = files {
        assert!(files.count() < 600);
    }
}

#[tokio::test]
async fn thousand_scrapers_add_no_query() {
    let mut exporter = Exporter::resting().await;
    let latest = "select max(query_start)::text, count(*) from pg_stat_activity
                  where datname = current_database() and application_name = 'marie-exporter'";
    let before = sqlx::query(latest).fetch_one(&mut exporter.database.admin).await.unwrap();
    let mut scrapers = JoinSet::new();
    for _ in 0..1000 {
        let address = exporter.address().to_owned();
        scrapers.spawn(async move {
            let _socket = SOCKETS.acquire().await.unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(REQUEST).await.unwrap();
            read(stream).await
        });
    }
    while let Some(answer) = scrapers.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("\nmarie_up 1\n"), "an answer is cut off");
    }
    let after = sqlx::query(latest).fetch_one(&mut exporter.database.admin).await.unwrap();
    assert_eq!(before.get::<Option<String>, _>(0), after.get::<Option<String>, _>(0));
    assert_eq!(after.get::<i64, _>(1), 1);
    let metrics = scrape::metrics(exporter.process.address());
    assert_eq!(metrics.count("marie_collector_runs_total", &[("collector", "stuck")]), 1.0);
}

#[tokio::test]
async fn client_that_never_reads_delays_no_other() {
    let exporter = Exporter::resting().await;
    let mut greedy = TcpStream::connect(exporter.address()).await.unwrap();
    let many = REQUEST.repeat(1000);
    // The server may have closed the connection before it read them all.
    let _ = tokio::time::timeout(Duration::from_secs(2), greedy.write_all(&many)).await;
    let (answer, took) = exporter.scrape().await;
    assert!(answer.starts_with("HTTP/1.1 200") && took < Duration::from_secs(1), "{took:?}: {answer}");
    let answers = read(greedy).await.matches("HTTP/1.1 200").count();
    assert!(answers <= 1, "{answers} answers on one connection");
}

#[tokio::test]
async fn oversized_head_and_garbage_are_refused_at_once() {
    let exporter = Exporter::resting().await;
    let mut large = b"GET /metrics HTTP/1.1\r\nHost: x\r\nCookie: ".to_vec();
    large.resize(1024 * 1024, b'x');
    let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(5000)].concat();
    for (request, status) in [
        (large.as_slice(), "431"),
        (&many, "431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03nonsense\r\n\r\n", "400"),
        (b"marie, are you there?\r\n\r\n", "400"),
        (b"GET /metrics HTTP/9.9\r\n\r\n", "400"),
    ] {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let began = Instant::now();
            let mut stream = TcpStream::connect(exporter.address()).await.unwrap();
            let _ = stream.write_all(request).await;
            let answer = read(stream).await;
            assert!(began.elapsed() < Duration::from_secs(5), "{status} took {:?}", began.elapsed());
            if !answer.is_empty() {
                assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
                break;
            }
            // A reset may overtake the response, but not each time.
            assert!(Instant::now() < deadline, "no answer with status {status}");
        }
    }
    let answer = read(exporter.connect(b"GET /metrics HTTP/1.0\r\n\r\n").await).await;
    assert!(answer.contains("\nmarie_up 1\n"), "{answer}");
}
