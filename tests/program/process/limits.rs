//! Limits of the system: no free file descriptors, and no room for the state file.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::scrape::{get, metrics, until, until_ready};

/// Starts the exporter under limits that the shell sets.
fn limited(limits: &str, url: &str, flags: &[&str]) -> Process {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().env("DATABASE_URL", url).args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]);
    shell.arg(env!("CARGO_BIN_EXE_marie-exporter")).args(["serve", "--web.listen-address=127.0.0.1:0"]);
    shell.args(["--collector.interval=200ms", "--collector.slow-interval=500ms"]);
    // On a busy machine the load budget would pause for seconds between two runs.
    shell.args(["--collector.load-budget=100%", "--events.new-series-hold=0s"]).args(flags);
    Process::start(shell, 1)
}

#[tokio::test]
async fn idle_clients_leave_descriptors_to_the_database_sessions() {
    const DESCRIPTORS: usize = 60;
    let database = Database::new(Shape::New).await;
    let process = limited(&format!("ulimit -n {DESCRIPTORS}"), &database.url, &[]);
    until_ready(process.address());
    let address = process.address().trim_start_matches("http://").to_owned();
    // The kernel accepts all connections, but the exporter has descriptors for only some of them.
    let _clients: Vec<TcpStream> =
        (0..2 * DESCRIPTORS).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(get(&format!("{}/metrics", process.address())).status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    // A runner that lost its session here would need more files for the next one.
    let metrics = metrics(process.address());
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0);
    let (status, _, log) = process.end("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("could not be accepted"), "{log}");
}

#[tokio::test]
async fn full_disk_delays_events_and_counts_them_once() {
    let mut database = Database::new(Shape::New).await;
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--state-file={}", folder.path().join("events.json").display());
    // This limit fails a write like a full disk. Its signal is ignored, because it would end the process.
    let process = limited("trap '' XFSZ; ulimit -S -f 0", &database.url, &[&file]);
    let labels = [("collector", "events"), ("pace", "events")];
    let page = until(process.address(), "the events fail", |answer| answer.text().contains("the state file"));
    assert!(page.text().contains("File too large"), "{}", page.text());
    until_ready(process.address());
    let before = metrics(process.address());
    assert_eq!(before.value("marie_collector_success", &labels), Some(0.0));
    assert_eq!(before.value("marie_jobs", &[("queue", "extract"), ("state", "active")]), Some(1.0));

    let id = process.id().to_string();
    let unlimited = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited"]).status().unwrap();
    assert!(unlimited.success());
    let metrics_url = format!("{}/metrics", process.address());
    let success = "marie_collector_success{collector=\"events\",pace=\"events\"} 1";
    until(&metrics_url, "the state is saved", |answer| answer.text().contains(success));

    let limit = |fsize: &str| {
        let status = Command::new("prlimit").args(["--pid", &id, fsize]).status().unwrap();
        assert!(status.success());
    };
    limit("--fsize=0:unlimited");
    until(&metrics_url, "saving fails again", |answer| !answer.text().contains(success));
    // The events are counted once, although the state could not be saved at first.
    database.run("update job set state = 'completed', completed_on = now() where name = 'extract'").await;
    let failures = || metrics(process.address()).count("marie_collector_failures_total", &labels);
    let so_far = failures();
    until(&metrics_url, "runs fail", |_| failures() >= so_far + 2.0);
    limit("--fsize=unlimited");
    let finished =
        |value| format!("marie_jobs_finished_total{{queue=\"extract\",state=\"completed\"}} {value}\n");
    until(&metrics_url, "the event is counted", |answer| answer.text().contains(&finished(1)));
    let runs = || metrics(process.address()).count("marie_collector_runs_total", &labels);
    let so_far = runs();
    until(&metrics_url, "more runs", |_| runs() >= so_far + 3.0);
    assert!(get(&metrics_url).text().contains(&finished(1)), "the event is counted twice");
}
