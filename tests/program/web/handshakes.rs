//! TLS: versions, client certificates, and unfinished handshakes.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::web::certificates::Authority;
use crate::web::client::Client;
use crate::web::exporter::{Exporter, TLS};

/// Returns TLS settings with additional ones.
fn tls(more: &str) -> String {
    TLS.replace('}', &format!(", {more}}}"))
}

async fn is_accepted(exporter: &Exporter, client: &Client) -> bool {
    match client.get(exporter.address(), "/metrics").await {
        Ok(answer) => {
            assert_eq!(answer.status, 200);
            assert!(answer.body.contains("marie_up 0"), "{}", answer.body);
            true
        }
        Err(_) => false,
    }
}

async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut rest));
    // A reset also ends the connection.
    let _ = end.await.expect("it is closed");
}

#[tokio::test]
async fn only_configured_tls_versions_are_accepted() {
    for (web, versions) in [
        (TLS.to_owned(), [true, true]),
        (tls("min_version: TLS13"), [false, true]),
        (tls("max_version: TLS12"), [true, false]),
    ] {
        let exporter = Exporter::serve(&web);
        for (version, expected) in [&TLS12, &TLS13].into_iter().zip(versions) {
            let client = Client::over_tls(&exporter.authority, None, &[version]);
            assert_eq!(is_accepted(&exporter, &client).await, expected, "{version:?} with {web}");
        }
    }
}

#[tokio::test]
async fn client_certificate_is_requested_as_configured() {
    let stranger = Authority::new();
    for (policy, without, with) in [
        ("client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert", false, true),
        ("client_ca_file: ca.crt, client_auth_type: VerifyClientCertIfGiven", true, true),
        ("client_auth_type: NoClientCert", true, true),
    ] {
        let exporter = Exporter::serve(&tls(policy));
        let ours = exporter.authority.sign("prometheus");
        for versions in [&TLS12, &TLS13] {
            let client = |own| Client::over_tls(&exporter.authority, own, &[versions]);
            assert_eq!(is_accepted(&exporter, &client(None)).await, without, "none, {policy}");
            assert_eq!(is_accepted(&exporter, &client(Some(&ours))).await, with, "ours, {policy}");
            // A client that gets no request sends no certificate.
            let others = policy.contains("NoClientCert");
            let shown = stranger.sign("prometheus");
            assert_eq!(is_accepted(&exporter, &client(Some(&shown))).await, others, "another's, {policy}");
        }
    }
}

#[tokio::test]
async fn http_1_1_is_negotiated_and_plain_http_is_closed() {
    let exporter = Exporter::serve(TLS);
    let client = Client::trusting(&exporter.authority);
    let stream = client.encrypt(client.connect(exporter.address()).await.unwrap()).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert!(Client::plain().get(exporter.address(), "/metrics").await.is_err());
    assert!(
        !is_accepted(&exporter, &Client::trusting(&Authority::new())).await,
        "the test trusts any certificate"
    );
}

#[tokio::test]
async fn unfinished_handshakes_are_closed_and_delay_no_scrape() {
    let exporter = Exporter::serve(TLS);
    let client = Client::trusting(&exporter.authority);
    let began = Instant::now();
    let mut unfinished = Vec::new();
    for number in 0..200_usize {
        let mut stream = client.connect(exporter.address()).await.unwrap();
        // The client sends nothing, or the beginning of a ClientHello.
        stream.write_all(&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..number % 12]).await.unwrap();
        unfinished.push(stream);
    }
    for _ in 0..3 {
        let asked = Instant::now();
        assert!(is_accepted(&exporter, &client).await);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    for mut stream in unfinished {
        until_closed(&mut stream).await;
    }
    let took = began.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(20), "closed after {took:?}");
}

#[tokio::test]
async fn request_that_stops_after_the_handshake_is_closed() {
    let exporter = Exporter::serve(TLS);
    let client = Client::trusting(&exporter.authority);
    let mut stream = client.encrypt(client.connect(exporter.address()).await.unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    until_closed(&mut stream).await;
}
