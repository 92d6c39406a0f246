//! A hostile or confused server: `serve` keeps running, answers scrapes, and recovers with a good server. The cases that
//! cost memory need `MARIE_EXPORTER_LONG_TESTS`.

use std::fs;
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;

use crate::support::databases::{Database, SERVER};
use crate::support::fake_server::{FakeServer, Harm, garbling_proxy};
use crate::support::long_tests::is_long_run;
use crate::support::process::{Process, command, output, text};
use crate::support::scrape::{get, metrics, until_ready};

const PATIENCE: Duration = Duration::from_secs(40);

/// Returns the peak memory of the process, in megabytes.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Scrapes until `is_over` returns true; returns the longest time of a scrape.
fn slowest(address: &str, mut is_over: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while !is_over() {
        assert!(began.elapsed() < PATIENCE, "the harm is not over");
        let start = Instant::now();
        assert_eq!(get(&format!("{address}/metrics")).status, 200);
        slowest = slowest.max(start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    slowest
}

/// Runs `serve` against this server until it has done harm three times, or for 15 seconds. Returns the peak memory and the longest time of a
/// scrape.
fn survives(harm: Harm) -> (u64, Duration) {
    let fake = FakeServer::start(harm);
    let url = format!("postgres://marie@127.0.0.1:{}/marie", fake.port);
    let flags = ["--collector.timeout=1s", "--log.format=json"];
    let process = Process::serve(&url, &flags);
    let began = Instant::now();
    // A flood lasts for the whole connect time-out or statement time-out.
    let slowest = slowest(process.address(), || {
        fake.harmed() >= 3 && began.elapsed() > Duration::from_secs(3)
            || began.elapsed() > Duration::from_secs(15)
    });
    assert!(fake.harmed() >= 1, "{harm:?}: {} times", fake.harmed());
    let found = metrics(process.address());
    assert_eq!(found.value("marie_up", &[]), Some(0.0), "{harm:?}");
    let peak = peak(process.id());
    let (status, took, log) = process.end("TERM");
    assert!(took < Duration::from_secs(15), "{harm:?}: it ends after {took:?}");
    eprintln!("{harm:?}: {peak} MB, slowest answer {slowest:?}, {} bytes of log", log.len());
    assert!(status.success(), "{harm:?}: {status}: {log}");
    assert!(log.len() < 100_000, "{harm:?}: {} bytes of log", log.len());
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{harm:?}: not JSON: {line}");
        assert!(line.len() < 4000, "{harm:?}: a line of {} bytes", line.len());
    }
    (peak, slowest)
}

#[test]
fn confused_server_does_not_end_serve() {
    for harm in [
        Harm::LengthAtLogin(0),
        Harm::LengthAtLogin(3),
        Harm::LengthInAnswer(0),
        Harm::LengthInAnswer(2),
        Harm::UnknownType,
        Harm::Garbage,
        Harm::LongError,
        Harm::RowAtOnce,
        Harm::TooManyColumns,
        Harm::HalfMessage,
        Harm::UnknownLogin,
        Harm::BrokenChallenge,
    ] {
        let (peak, _) = survives(harm);
        assert!(peak < 64, "{harm:?}: {peak} MB");
    }
}

#[test]
fn flood_of_notices_costs_neither_memory_nor_log() {
    for harm in [Harm::NoticeFlood, Harm::NoticeFloodInAnswer] {
        let (peak, slowest) = survives(harm);
        assert!(peak < 64, "{harm:?}: {peak} MB");
        assert!(slowest < Duration::from_secs(5), "{harm:?}: an answer took {slowest:?}");
    }
}

#[test]
fn driver_limits_memory_is_measured() {
    if !is_long_run() {
        eprintln!("skipped: MARIE_EXPORTER_LONG_TESTS is not set");
        return;
    }
    for harm in [
        Harm::LengthAtLogin(u32::MAX),
        Harm::LengthAtLogin(1 << 31),
        Harm::LengthInAnswer(u32::MAX),
        Harm::Stream(1 << 30),
        Harm::ParameterFlood,
    ] {
        survives(harm);
    }
}

#[test]
fn confused_server_ends_commands_with_an_error() {
    for harm in [Harm::LengthAtLogin(0), Harm::LengthInAnswer(0), Harm::UnknownType] {
        let fake = FakeServer::start(harm);
        let url = format!("postgres://marie@127.0.0.1:{}/marie", fake.port);
        for words in [&["check"][..], &["stats"], &["grants"], &["maintain", "indexes"]] {
            let output = output(&[words, &["--database-url", &url]].concat());
            let told = text(&output.stdout) + &text(&output.stderr);
            assert!(
                matches!(output.status.code(), Some(1 | 2)),
                "{words:?}, {harm:?}: {} {told}",
                output.status
            );
        }
    }
}

#[tokio::test]
async fn garbled_answers_do_not_end_serve_and_it_recovers() {
    let database = Database::new(Shape::New).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    let through = |rarity| {
        let port = garbling_proxy(SERVER.port(), rarity);
        let url = database.url.replace(&format!(":{}/", SERVER.port()), &format!(":{port}/"));
        fs::write(&file, url).unwrap();
    };
    through(20_000);
    let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--collector.interval=200ms"]);
    serve.args(["--collector.slow-interval=200ms", "--collector.timeout=1s", "--collector.load-budget=100%"]);
    // Another test covers the memory that a changed length can allocate.
    serve.arg("--database-url-file").arg(&file);
    let process = Process::start(serve, 1);
    let began = Instant::now();
    let failures = || metrics(process.address()).count("marie_collector_failures_total", &[]);
    slowest(process.address(), || began.elapsed() > Duration::from_secs(8) && failures() > 5.0);

    fs::write(&file, &database.url).unwrap();
    until_ready(process.address());
    crate::support::scrape::until(&format!("{}/metrics", process.address()), "it is well", |answer| {
        answer.text().contains("\nmarie_up 1")
    });
    let (status, _, _) = process.end("TERM");
    assert!(status.success(), "{status}");
}
