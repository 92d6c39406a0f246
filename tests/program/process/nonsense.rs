//! Random requests, most of them malformed. A failure prints the seed; `SEED=n` repeats it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::scrape::{get, until_ready};

const REQUESTS: [&[u8]; 9] = [
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD /-/ready HTTP/1.0\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"GET /%2e%2e/%00?a=%zz&b HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\nExpect: 100-continue\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://[::1]:80:80/metrics HTTP/1.1\r\nHost: a, b\r\nX: \xff\x00\x7f\r\n folded\r\n\r\n",
];

/// Changes some bytes, repeats a part, or cuts it off.
fn mutated(random: &mut StdRng) -> Vec<u8> {
    let mut request = REQUESTS.choose(random).unwrap().to_vec();
    for _ in 0..random.random_range(0..6) {
        let place = random.random_range(0..request.len());
        match random.random_range(0..6) {
            0 => request[place] = random.random(),
            1 => request.insert(place, *b"\r\n\0 :/%?".choose(random).unwrap()),
            2 => drop(request.remove(place)),
            3 => request.truncate(place.max(1)),
            4 => {
                let part = request[place..].to_vec();
                request.extend(part.repeat(random.random_range(1..40)));
            }
            _ => request.splice(place..place, vec![b'x'; random.random_range(0..20_000)]).for_each(drop),
        }
        if request.is_empty() {
            request.push(b'\r');
        }
    }
    request
}

/// Returns the response; a reset may cut it off.
fn answer(address: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    if stream.write_all(request).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
        let _ = stream.read_to_end(&mut answer);
    }
    answer
}

#[tokio::test]
async fn random_requests_are_answered_or_closed() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &["--log.level=trace"]);
    until_ready(process.address());
    let address = process.address().trim_start_matches("http://").to_owned();
    let began = Instant::now();
    let (mut sent, mut good, mut bad) = (0, 0, 0);
    // A minimum, and more until the time is up.
    while sent < 500 || began.elapsed() < Duration::from_secs(4) {
        sent += 1;
        let request = mutated(&mut random);
        let answer = answer(&address, &request);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.strip_prefix("HTTP/1.1 ").or_else(|| answer.strip_prefix("HTTP/1.0 "));
        match status.and_then(|rest| rest.get(..3)) {
            Some("200") => good += 1,
            Some(status) => {
                assert!(status.starts_with('4'), "{status} for {:?}", String::from_utf8_lossy(&request));
                bad += 1;
            }
            None => assert!(answer.is_empty(), "{answer}"),
        }
    }
    eprintln!("{sent} sent, {good} good, {bad} refused");
    assert!(good > 0 && bad > 0);
    assert_eq!(get(&format!("{}/metrics", process.address())).status, 200);
    let (status, _, log) = process.end("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("panicked"), "{log}");
}
