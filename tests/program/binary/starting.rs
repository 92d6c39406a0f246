//! Flags, files and addresses: invalid ones end `serve` at the start with a message, valid ones take effect.

use std::net::TcpListener;

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::process::{Process, command, output, text};
use crate::support::scrape::{metrics, until, until_ready};

const NOWHERE: &str = "postgres://absent@127.0.0.1:1/none";

#[test]
fn invalid_flag_or_file_is_named_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        format!("--config.file={}", path.display())
    };
    let unknown = file("unknown.yml", "log.level: info\n\nqueeus.limit: 3\n");
    let value = file("value.yml", "log.level: info\ncollector.interval: soon\n");
    let broken = file("broken.yml", "log.level: [\n");
    for (flag, expected) in [
        ("--collector.intervall=1s", ["--collector.intervall", "--collector.interval", ""]),
        ("--collector.interval=soon", ["--collector.interval", "soon", "90s"]),
        ("--no-collector.nonsense", ["--no-collector.nonsense", "", ""]),
        ("--config.file=/nowhere/marie.yml", ["/nowhere/marie.yml", "No such file", ""]),
        (&unknown, ["queeus.limit", "unknown.yml", "line 3"]),
        (&value, ["soon", "value.yml", "line 2"]),
        (&broken, ["broken.yml", "line", ""]),
    ] {
        let ended = output(&["serve", "--database-url", NOWHERE, flag]);
        let errors = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{flag}: {errors}");
        for part in expected {
            assert!(errors.contains(part), "{flag}: {part:?} is not in {errors}");
        }
        assert!(ended.stdout.is_empty());
    }
    assert_eq!(output(&["serve"]).status.code(), Some(2));
    assert_eq!(output(&["serve", "--help"]).status.code(), Some(0));
}

#[test]
fn taken_address_is_named_with_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = output(&["serve", "--database-url", NOWHERE, "--web.listen-address", &address]);
    let errors = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1));
    assert!(errors.contains(&format!("cannot listen on {address}")), "{errors}");
    assert!(errors.contains("--web.listen-address"), "{errors}");
    assert_eq!(errors.matches("in use").count(), 1, "the reason is printed once: {errors}");
}

#[test]
fn unwritable_state_file_is_named_with_exit_code_1() {
    let file = "/nowhere/events.json";
    let flags = ["--web.listen-address=127.0.0.1:0", "--state-file", file];
    let ended = output(&[&["serve", "--database-url", NOWHERE], &flags[..]].concat());
    let errors = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1));
    assert!(errors.contains(&format!("the state file {file:?} cannot be written")), "{errors}");
    assert_eq!(errors.matches("No such file").count(), 1, "the reason is printed once: {errors}");
}

#[tokio::test]
async fn two_addresses_from_the_environment_are_served() {
    let database = Database::new(Shape::Mid).await;
    let mut command = command(&["serve", "--web.listen-address=127.0.0.1:0", "--web.listen-address=:0"]);
    command.env("DATABASE_URL", &database.url).env("MARIE_EXPORTER_COLLECTOR_INTERVAL", "200ms");
    let process = Process::start(command, 2);
    let port = process.addresses[1].rsplit(':').next().unwrap();
    for url in [format!("{}/metrics", process.address()), format!("http://127.0.0.1:{port}/metrics")] {
        until(&url, "numbers", |answer| answer.text().contains("marie_jobs{"));
    }
}

#[tokio::test]
async fn collector_that_is_switched_off_never_runs() {
    let database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &["--no-collector.stuck", "--no-collector.storage"]);
    until_ready(process.address());
    let metrics = metrics(process.address());
    for name in ["stuck", "storage"] {
        let label = ("collector", name);
        assert_eq!(metrics.value("marie_collector_enabled", &[label]), Some(0.0));
        assert_eq!(
            metrics.value("marie_collector_disabled_info", &[label, ("reason", "disabled")]),
            Some(1.0)
        );
        assert_eq!(metrics.count("marie_collector_runs_total", &[label]), 0.0);
    }
    assert!(
        metrics.has("marie_jobs") && !metrics.has("marie_jobs_stuck") && !metrics.has("marie_table_rows")
    );
}

#[tokio::test]
async fn serve_outlives_the_reader_of_its_log() {
    let mut server = marie_exporter::demo::server::Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut process = Process::serve(&url, &[]);
    let address = process.address().to_owned();
    until_ready(&address);
    process.stop_reading();
    // Each of these changes is logged.
    server.stop().unwrap();
    let metrics = format!("{address}/metrics");
    until(&metrics, "down", |answer| answer.text().contains("\nmarie_up 0"));
    server.start_again().unwrap();
    until(&metrics, "up", |answer| answer.text().contains("\nmarie_up 1"));
    server.stop().unwrap();
    until(&metrics, "down again", |answer| answer.text().contains("\nmarie_up 0"));
}

#[test]
fn metric_table_is_printed_in_both_formats() {
    let markdown = output(&["metrics"]);
    assert!(markdown.status.success());
    assert_eq!(markdown.stdout, output(&["metrics", "--format=markdown"]).stdout);
    assert!(text(&markdown.stdout).contains("marie_jobs_stuck"));
    let json = output(&["metrics", "--format=json"]);
    let table: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(table.to_string().contains("\"marie_jobs_stuck\""));
    assert_eq!(output(&["metrics", "--format=yaml"]).status.code(), Some(2));
}
