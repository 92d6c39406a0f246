//! Many clients at the same time. With `CROWD=1`, the test of a thousand scrapers lasts a minute, and the test of idle
//! connections opens ten thousand if `ulimit -n` permits: `CROWD=1 cargo test --test program crowds`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::databases::Database;
use crate::support::process::{Process, send};
use crate::support::scrape::until_ready;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

fn is_full() -> bool {
    std::env::var_os("CROWD").is_some()
}

async fn exporter() -> (Database, Process, String) {
    let database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &[]);
    until_ready(process.address());
    let address = process.address().trim_start_matches("http://").to_owned();
    (database, process, address)
}

async fn scrape(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Returns whether head and body are complete.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    head.starts_with("HTTP/1.1 200") && length.and_then(|length| length.parse().ok()) == Some(body.len())
}

/// Returns the peak memory of the process, in MiB.
fn peak_memory(process: &Process) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_concurrent_scrapers_get_whole_answers() {
    let scrapers = 1000;
    let end = Instant::now() + Duration::from_secs(if is_full() { 60 } else { 4 });
    let (_database, process, address) = exporter().await;
    let answers = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    for _ in 0..scrapers {
        let (address, answers) = (address.clone(), Arc::clone(&answers));
        crowd.spawn(async move {
            // Each client scrapes at least once.
            loop {
                let answer = scrape(&address).await.unwrap();
                assert!(is_whole(&answer), "{answer}");
                answers.fetch_add(1, Ordering::Relaxed);
                if Instant::now() > end {
                    break;
                }
            }
        });
    }
    crowd.join_all().await;
    let answers = answers.load(Ordering::Relaxed);
    assert!(answers >= scrapers);
    eprintln!("{answers} answers, {:?} MiB at most", peak_memory(&process));
    assert!(peak_memory(&process).is_none_or(|mib| mib < 256));
}

#[tokio::test]
async fn idle_connections_cost_little_and_are_released() {
    let (_database, process, address) = exporter().await;
    let mut idle = Vec::new();
    let wanted = if is_full() { 10_000 } else { 800 };
    for _ in 0..wanted {
        // If the kernel's queue is full, a client waits until others have timed out.
        let patience = Duration::from_secs(if is_full() { 60 } else { 2 });
        match tokio::time::timeout(patience, TcpStream::connect(&address)).await {
            Ok(Ok(stream)) => idle.push(stream),
            Ok(Err(error)) => panic!("after {}: {error}", idle.len()),
            Err(_) => break,
        }
    }
    // The exporter has places for 512. The kernel queues the others, on Linux up to four thousand unless set lower.
    assert!(idle.len() > 512, "{}", idle.len());
    assert!(idle.len() == wanted || cfg!(not(target_os = "linux")), "{} of {wanted}", idle.len());
    eprintln!("{} idle connections, {:?} MiB at most", idle.len(), peak_memory(&process));
    assert!(peak_memory(&process).is_none_or(|mib| mib < 256));
    drop(idle);
    let began = Instant::now();
    assert!(is_whole(&scrape(&address).await.unwrap()));
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_scrape_is_completed_during_shutdown() {
    let mut database = Database::new(Shape::New).await;
    // The response is larger than the buffers between server and client.
    database
        .run("select create_queue(repeat('queue ', 20) || n, '{}') from generate_series(1, 1000) as n")
        .await;
    let process = Process::serve(&database.url, &["--queues.limit=5000"]);
    until_ready(process.address());
    let address = process.address().trim_start_matches("http://").to_owned();
    let mut scrapes = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        let mut first = [0; 1];
        stream.read_exact(&mut first).await.unwrap();
        scrapes.push(stream);
    }
    send("TERM", process.id());
    let mut rest = JoinSet::new();
    for mut stream in scrapes {
        rest.spawn(async move {
            let mut answer = "H".to_owned();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        });
    }
    for answer in rest.join_all().await {
        assert!(is_whole(&answer), "cut off after {} bytes", answer.len());
        assert!(answer.len() > 3 << 20, "{} bytes are no test", answer.len());
    }
    let (status, took, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}
