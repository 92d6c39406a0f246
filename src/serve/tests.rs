//! Tests which responses count as a scrape, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::routes;
use crate::cli::{self, Command};
use crate::collect::collector::QuerySamples;
use crate::collect::collectors::{COLLECTORS, statistics};
use crate::collect::exporter::Exporter;
use crate::collect::pace::Pace;
use crate::http::reload::Access;
use crate::http::server::places::Places;
use crate::http::server::{Listener, Server, serve};
use crate::metrics::Samples;

/// Larger than all buffers between the server and a client.
const LARGE: usize = 32 << 20;

struct Served {
    exporter: Arc<Exporter>,
    address: SocketAddr,
    _shutdown: DropGuard,
}

impl Served {
    fn new(flags: &[&str]) -> Self {
        let names: Vec<_> = COLLECTORS.iter().map(|collector| (collector.name, collector.about)).collect();
        let arguments = ["", "serve", "--database-url=postgres://h/d", "--web.listen-address=127.0.0.1:0"];
        let arguments = arguments.iter().chain(flags).map(std::ffi::OsString::from);
        let Ok(Command::Serve(config)) = cli::parse(arguments, |_| None, &names) else {
            panic!("these flags are valid: {flags:?}")
        };
        let access = Access::load(config.web.config_file.as_deref()).unwrap();
        let listener = Listener::bind(&config.web.listen_addresses[0], "web.listen-address").unwrap();
        let address = listener.to_string().parse().unwrap();
        let exporter = Arc::new(Exporter::new(config).unwrap());
        let access = watch::Sender::new(Arc::new(access)).subscribe();
        let places = Arc::new(Places::within(512, 2));
        let routes = routes::all_routes(Arc::clone(&exporter), Arc::clone(&places));
        let server = Arc::new(Server::new(routes, routes::HEALTH_PATHS, access, places).unwrap());
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, server, shutdown.clone()));
        Served { exporter, address, _shutdown: shutdown.drop_guard() }
    }

    /// Publishes a text of about that many bytes.
    fn publish(&self, size: usize) {
        let collector = &statistics::COLLECTOR;
        let mut samples: Vec<Samples> =
            collector.families.iter().map(|family| Samples::new(family)).collect();
        for number in 0..size.div_ceil(100_000) {
            let queue = format!("{}{number}", "q".repeat(size.min(100_000)));
            samples[0].insert(vec![queue, "active".to_owned()], 1.0).unwrap();
        }
        let answers = vec![QuerySamples { query: "statistics.sql", samples }];
        let end = Instant::now() + Duration::from_mins(10);
        self.exporter.snapshot.replace(collector, Pace::Backlog, answers, end).unwrap();
    }

    fn was_scraped(&self) -> bool {
        self.exporter.snapshot.was_scraped(&statistics::COLLECTOR)
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{request}\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, request: &str) -> String {
        let mut answer = Vec::new();
        self.send(request).await.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn until_scraped(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.was_scraped() {
            assert!(Instant::now() < deadline, "the scrape is not recorded");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn only_answered_get_of_metrics_is_a_scrape() {
    let served = Served::new(&[]);
    served.publish(10);
    for (request, status) in [
        ("HEAD /metrics HTTP/1.1", "200"),
        ("GET / HTTP/1.1", "200"),
        ("GET /-/healthy HTTP/1.1", "200"),
        ("GET /metrics/ HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        ("GET /metrics HTTP/1.1\r\nAccept-Encoding: identity;q=0", "406"),
    ] {
        let answer = served.ask(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
        // The server ends its part before the client sees the end, so a later scrape would be recorded by now.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!served.was_scraped(), "{request} counts as a scrape");
    }
    for encoding in ["identity", "gzip"] {
        served.publish(10);
        assert!(!served.was_scraped());
        let answer = served.ask(&format!("GET /metrics HTTP/1.1\r\nAccept-Encoding: {encoding}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        served.until_scraped().await;
    }
}

#[tokio::test]
async fn refused_login_is_no_scrape() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    let hash = bcrypt::hash("secret", 4).unwrap();
    std::fs::write(&file, format!("basic_auth_users: {{alice: {hash}}}\n")).unwrap();
    let served = Served::new(&[&format!("--web.config.file={}", file.display())]);
    served.publish(10);
    for login in ["", "\r\nAuthorization: Basic YWxpY2U6d3Jvbmc="] {
        let answer = served.ask(&format!("GET /metrics HTTP/1.1{login}")).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!served.was_scraped());
    served.ask("GET /metrics HTTP/1.1\r\nAuthorization: Basic YWxpY2U6c2VjcmV0").await;
    served.until_scraped().await;
}

#[tokio::test]
async fn aborted_read_is_no_scrape() {
    let served = Served::new(&[]);
    served.publish(LARGE);
    let mut stream = served.send("GET /metrics HTTP/1.1").await;
    stream.read_exact(&mut [0; 1024]).await.unwrap();
    drop(stream);
    // The server has seen the end of that connection once it has ended a later one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!served.was_scraped());
    assert!(served.ask("GET /metrics HTTP/1.1").await.len() > LARGE);
    served.until_scraped().await;
}
