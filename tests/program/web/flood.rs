//! Clients that guess passwords delay only themselves.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::memory::{LIMIT, peak_mib};
use crate::web::client::Client;
use crate::web::exporter::{Exporter, PASSWORD};

/// Default scrape time-out of Prometheus.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// Clients that guess passwords without end, each guess over a new connection.
struct Guessers {
    over: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Guessers {
    /// Starts `each` clients from each of these addresses. They are running when this returns.
    async fn start(exporter: &Exporter, addresses: &[Ipv4Addr], each: usize) -> Self {
        let mut guessers = Guessers { over: Arc::default(), refused: Arc::default(), tasks: JoinSet::new() };
        for (number, from) in addresses.iter().flat_map(|from| (0..each).map(move |number| (number, *from))) {
            let address = exporter.address().to_owned();
            let (over, refused) = (Arc::clone(&guessers.over), Arc::clone(&guessers.refused));
            guessers.tasks.spawn(async move {
                let mut tried = 0;
                while !over.load(Ordering::Relaxed) {
                    tried += 1;
                    let name = if number % 2 == 0 { "alice" } else { "mallory" };
                    let client = Client::plain().logging_in(name, &format!("{number} {tried}")).from(from);
                    // The server resets a connection that lost its place.
                    let Ok(answer) = client.get(&address, "/metrics").await else { continue };
                    assert!([401, 429].contains(&answer.status), "{}", answer.status);
                    refused.fetch_add(1, Ordering::Relaxed);
                    // All clients are on one machine. The pause leaves time for the scraper.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while guessers.refused.load(Ordering::Relaxed) < 4 {
            assert!(Instant::now() < deadline, "no guess was refused");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        guessers
    }

    async fn stop(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// Starts an exporter with a password of a realistic cost.
fn exporter() -> Exporter {
    let hash = bcrypt::hash(PASSWORD, 10).unwrap();
    Exporter::serve(&format!("basic_auth_users: {{alice: {hash}}}"))
}

/// Scrapes as Prometheus does, and returns its time. `None` if the login failed.
async fn scrape(exporter: &Exporter, from: Ipv4Addr) -> Option<Duration> {
    let began = Instant::now();
    let alice = Client::plain().logging_in("alice", PASSWORD).from(from);
    let answer = tokio::time::timeout(SCRAPE_TIMEOUT, alice.get(exporter.address(), "/metrics")).await;
    matches!(answer, Ok(Ok(answer)) if answer.status == 200).then(|| began.elapsed())
}

/// Returns addresses of the loopback other than the scraper's.
fn others(count: u8) -> Vec<Ipv4Addr> {
    (0..count).map(|number| Ipv4Addr::new(127, 0, 2, number + 1)).collect()
}

/// Asserts that a scraper whose login is not cached yet gets an answer within `most_scrapes`.
async fn scraper_gets_in(addresses: &[Ipv4Addr], each: usize, most_scrapes: usize) {
    let exporter = exporter();
    let guessers = Guessers::start(&exporter, addresses, each).await;
    let began = Instant::now();
    let mut scrapes = 1;
    while scrape(&exporter, Ipv4Addr::LOCALHOST).await.is_none() {
        scrapes += 1;
        // The server needs some time to notice that the previous scrape timed out.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(scrapes <= most_scrapes, "the scraper is locked out");
    }
    let cold = began.elapsed();
    for _ in 0..5 {
        let warm = scrape(&exporter, Ipv4Addr::LOCALHOST).await.expect("a cached login is accepted");
        assert!(warm < Duration::from_secs(1), "a cached login took {warm:?}");
    }
    guessers.stop().await;
    let peak = peak_mib(exporter.process.id());
    eprintln!(
        "{} addresses, {each} guessers each: let in by scrape {scrapes} after {cold:?}, {peak:?} MiB at most",
        addresses.len()
    );
    assert!(peak.is_none_or(|mib| mib < LIMIT), "{peak:?} MiB");
}

#[tokio::test]
async fn guesses_from_scrapers_own_address_do_not_lock_it_out() {
    // Later scrapes repeat the password of the first, and are recognized.
    scraper_gets_in(&[Ipv4Addr::LOCALHOST], 50, 3).await;
}

#[tokio::test]
async fn guesses_from_other_addresses_do_not_lock_a_scraper_out() {
    scraper_gets_in(&others(13), 8, 1).await;
}

#[tokio::test]
async fn more_guesses_than_are_queued_do_not_lock_a_scraper_out() {
    scraper_gets_in(&others(13), 25, 1).await;
    scraper_gets_in(&[Ipv4Addr::LOCALHOST], 300, 4).await;
}
