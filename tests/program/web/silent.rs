//! Connections to the TLS port that never start a handshake, or never finish it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::support::memory::{LIMIT, peak_mib};
use crate::web::client::Client;
use crate::web::exporter::{Exporter, TLS};

const CONNECTIONS: usize = 1500;

/// Beginning of a TLS record whose `ClientHello` is incomplete.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_handshakes_leave_a_place_for_a_scrape() {
    for sends in [b"".as_slice(), HALF_A_HELLO] {
        let exporter = Exporter::serve(TLS);
        let opened = Arc::new(AtomicUsize::new(0));
        let mut attackers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (address, opened) = (exporter.address().to_owned(), Arc::clone(&opened));
            attackers.spawn(async move {
                let attacker = Client::plain().from(Ipv4Addr::new(127, 0, 0, 66));
                loop {
                    if let Ok(mut stream) = attacker.connect(&address).await {
                        opened.fetch_add(1, Ordering::Relaxed);
                        let _ = stream.write_all(sends).await;
                        // Waits until the server closes the connection.
                        let _ = stream.read(&mut [0]).await;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while opened.load(Ordering::Relaxed) < CONNECTIONS {
            assert!(Instant::now() < deadline, "{opened:?} connections");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let client = Client::trusting(&exporter.authority).from(Ipv4Addr::new(127, 0, 0, 9));
        let mut slowest = Duration::ZERO;
        for path in ["/metrics", "/-/healthy", "/metrics"] {
            let began = Instant::now();
            let answer =
                tokio::time::timeout(Duration::from_secs(10), client.get(exporter.address(), path)).await;
            assert_eq!(answer.expect("it timed out").unwrap().status, 200, "{path}");
            slowest = slowest.max(began.elapsed());
        }
        attackers.shutdown().await;
        let peak = peak_mib(exporter.process.id());
        eprintln!(
            "{opened:?} connections that send {} bytes: slowest answer {slowest:?}, {peak:?} MiB",
            sends.len()
        );
        assert!(peak.is_none_or(|mib| mib < LIMIT), "{peak:?} MiB");
    }
}
