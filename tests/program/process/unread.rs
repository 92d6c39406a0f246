//! Clients that send a request and do not read the answer.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::databases::Database;
use crate::support::memory::{LIMIT, peak_mib};
use crate::support::process::Process;
use crate::support::scrape::{get, until_ready};

const CLIENTS: usize = 500;

/// Default scrape time-out of Prometheus.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects a client with a tiny receive buffer, so that the response stays in the exporter.
async fn unread(address: &str, encoding: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Starts an exporter whose page is larger than the buffers between it and a client.
pub(crate) async fn with_large_page() -> (Database, Process) {
    let mut database = Database::new(Shape::New).await;
    let name = "\u{1f600}".repeat(40);
    database
        .run(&format!("select create_queue('{name}' || n, '{{}}') from generate_series(1, 200) as n"))
        .await;
    let process =
        Process::serve(&database.url, &["--collector.interval=15s", "--collector.slow-interval=1m"]);
    until_ready(process.address());
    let size = get(&format!("{}/metrics", process.address())).body.len();
    assert!(size > 400_000, "{size} bytes are no test");
    (database, process)
}

#[tokio::test]
async fn unread_answers_share_their_memory_and_end() {
    let (_database, process) = with_large_page().await;
    let metrics = format!("{}/metrics", process.address());
    let size = get(&metrics).body.len();
    let before = peak_mib(process.id());
    let address = process.address().trim_start_matches("http://").to_owned();
    for encoding in ["identity", "gzip", "identity"] {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(unread(&address, encoding).await);
        }
        let began = Instant::now();
        assert_eq!(get(&metrics).status, 200);
        assert!(began.elapsed() < SCRAPE_TIMEOUT, "a scrape meanwhile took {:?}", began.elapsed());
        // The server closes them, although it has more to send.
        let mut last = clients.pop().unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), last.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "the connection is still open");
        if encoding == "identity" {
            assert!(rest.len() < size, "the whole response fits into the buffers");
        }
    }
    let peak = peak_mib(process.id());
    eprintln!("{CLIENTS} clients, {size} bytes each: {before:?} MiB before, {peak:?} MiB at most");
    assert!(peak.is_none_or(|mib| mib < LIMIT), "{peak:?} MiB");
}
