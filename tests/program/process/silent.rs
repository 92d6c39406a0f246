//! Clients that open many connections and send nothing, send half a request, or read no response.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::process::unread::with_large_page;
use crate::support::memory::{LIMIT, peak_mib};
use crate::support::process::Process;

const CONNECTIONS: usize = 1500;

/// Default scrape time-out of Prometheus, and the probe time-out in `contrib/kubernetes`.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

const SCRAPER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

async fn connect(address: &str, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(2048)?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(address.parse().unwrap()).await
}

/// Connections from these addresses. Each is opened again when it ends.
fn attack(address: &str, from: &[Ipv4Addr], sends: &'static [u8]) -> (JoinSet<()>, Arc<AtomicUsize>) {
    let (mut attackers, opened) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..CONNECTIONS {
        let (address, from, opened) = (address.to_owned(), from[number % from.len()], Arc::clone(&opened));
        attackers.spawn(async move {
            loop {
                let Ok(mut stream) = connect(&address, from).await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                opened.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(sends).await;
                if sends.ends_with(b"\r\n\r\n") {
                    // Waits longer than the server waits for a client that does not read.
                    tokio::time::sleep(Duration::from_secs(6)).await;
                } else {
                    // Waits until the server closes the connection.
                    let _ = stream.read(&mut [0]).await;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }
    (attackers, opened)
}

async fn get(address: &str, path: &str) -> String {
    let mut answer = Vec::new();
    let mut stream = connect(address, SCRAPER).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn without_database() -> Process {
    Process::serve("postgres://marie@127.0.0.1:1/none", &[])
}

/// Asserts that scrapes and probes succeed during an attack.
async fn scraper_gets_in(process: &Process, from: &[Ipv4Addr], sends: &'static [u8], what: &str) {
    let address = process.address().trim_start_matches("http://").to_owned();
    let (mut attackers, opened) = attack(&address, from, sends);
    let deadline = Instant::now() + Duration::from_secs(30);
    while opened.load(Ordering::Relaxed) < CONNECTIONS {
        assert!(Instant::now() < deadline, "{opened:?} connections");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..4 {
        for (path, patience) in [("/metrics", SCRAPE_TIMEOUT), ("/-/healthy", PROBE_TIMEOUT)] {
            let began = Instant::now();
            let answer = tokio::time::timeout(patience, get(&address, path)).await;
            let answer = answer.unwrap_or_else(|_| panic!("{path} timed out while clients {what}"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{path} beside {what}: {answer}");
            slowest = slowest.max(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (peak, opened) = (peak_mib(process.id()), opened.load(Ordering::Relaxed));
    eprintln!("{opened} connections that {what}: slowest answer {slowest:?}, {peak:?} MiB at most");
    assert!(peak.is_none_or(|mib| mib < LIMIT), "{peak:?} MiB");
    attackers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_of_one_address_leave_a_place_for_a_scrape() {
    scraper_gets_in(&without_database(), &[Ipv4Addr::new(127, 0, 0, 66)], b"", "send nothing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_of_scrapers_address_leave_a_place() {
    scraper_gets_in(&without_database(), &[SCRAPER], b"", "send nothing from the scraper's address").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_requests_from_many_addresses_leave_a_place_for_a_scrape() {
    let from: Vec<Ipv4Addr> = (1..=50).map(|number| Ipv4Addr::new(127, 0, 3, number)).collect();
    scraper_gets_in(&without_database(), &from, b"GET /metrics HTTP/1.1\r\n", "send half a request").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_leave_a_place_for_a_scrape() {
    let (_database, process) = with_large_page().await;
    let from = [Ipv4Addr::new(127, 0, 0, 66)];
    scraper_gets_in(&process, &from, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "do not read").await;
}
