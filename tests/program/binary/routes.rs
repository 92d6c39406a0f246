//! The responses of each route.

use std::io::Read;

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::process::Process;
use crate::support::scrape::{get, get_encoded, head, metrics, post, until, until_ready};

#[tokio::test]
async fn metrics_are_compressed_only_on_request() {
    let database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &[]);
    let url = format!("{}/metrics", process.address());
    until(&url, "all collectors have run", |answer| answer.text().contains("marie_table_rows"));

    let plain = get(&url);
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("content-encoding"), None);
    let metrics = Metrics::parse(&plain.text());
    assert_eq!(metrics.value("marie_jobs", &[("queue", "extract"), ("state", "active")]), Some(1.0));
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    assert!(metrics.has("process_resident_memory_bytes"));

    for accept in ["gzip", "deflate, gzip;q=0.8", "gzip, *;q=0.1"] {
        let packed = get_encoded(&url, accept);
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{accept}");
        assert!(packed.body.len() * 2 < plain.body.len(), "{} bytes packed", packed.body.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_string(&mut text).unwrap();
        assert!(Metrics::parse(&text).has("marie_jobs"));
    }
    for accept in ["gzip;q=0", "br", ""] {
        assert_eq!(get_encoded(&url, accept).header("content-encoding"), None, "{accept}");
    }

    let head = head(&url);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let database = Database::new(Shape::New).await;
    let process = Process::serve(&database.url, &["--web.telemetry-path=/numbers/metrics"]);
    let address = process.address();
    for (path, status) in
        [("/numbers/metrics", 200), ("/metrics", 404), ("/-/reload", 404), ("/../etc/passwd", 404)]
    {
        assert_eq!(get(&format!("{address}{path}")).status, status, "{path}");
    }
    for path in ["/numbers/metrics", "/", "/-/healthy", "/-/ready"] {
        let answer = post(&format!("{address}{path}"));
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{path}");
    }
}

#[test]
fn landing_page_works_below_any_path() {
    let process =
        Process::serve("postgres://absent@127.0.0.1:1/none", &["--web.telemetry-path=/numbers/metrics"]);
    let page = get(process.address()).text();
    let targets = |attribute: &str| -> Vec<String> {
        let start = format!("{attribute}=\"");
        let parts = page.split(start.as_str()).skip(1);
        parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    assert_eq!(targets("href"), ["./numbers/metrics", "./-/healthy", "./-/ready"]);
    for attribute in ["src", "action", "srcset", "data"] {
        assert_eq!(targets(attribute), Vec::<String>::new(), "{attribute}");
    }
    assert!(!page.contains("url("), "the style names no other file");
    for target in targets("href") {
        let answer = get(&format!("{}/{}", process.address(), target.trim_start_matches("./")));
        assert!([200, 503].contains(&answer.status), "{target}");
        assert_eq!(answer.header("location"), None);
    }
}

#[tokio::test]
async fn landing_page_shows_each_collectors_state_and_error() {
    let mut database = Database::new(Shape::New).await;
    database.run("drop table version; create view version as select 1/0 as maintained_on, 1 as monitored_on, 1 as cron_on").await;
    let process = Process::serve(&database.url, &["--no-collector.sla"]);
    let page = until(process.address(), "the scheduler fails and storage works", |answer| {
        let text = answer.text();
        text.contains("failed</td>") && text.matches(">ok</td>").count() >= 10
    });
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    for name in
        ["statistics", "stuck", "throughput", "retries", "sla", "dags", "queues", "storage", "scheduler"]
    {
        assert!(text.contains(&format!(">{name}<small>")), "{name} is not on the page");
    }
    assert!(text.contains("switched off by configuration"));
    assert!(text.contains("last_maintenance.sql"), "the error names the query: {text}");
}

#[tokio::test]
async fn text_of_the_database_never_becomes_markup() {
    let mut database = Database::new(Shape::New).await;
    let hostile = "</code><script>\"a\" & 'b'</script>";
    database
        .run(&format!(
            "drop table version;
             create function fails() returns timestamptz language plpgsql as
                 $$ begin raise exception '%', $text${hostile}$text$; end $$;
             create view version as select fails() as maintained_on, fails() as monitored_on, fails() as cron_on;
             alter schema marie_scheduler rename to \"{}\"",
            hostile.replace('"', "\"\"")
        ))
        .await;
    let process = Process::serve(&database.url, &["--database.schema", hostile]);
    let escaped = "&lt;/code&gt;&lt;script&gt;&quot;a&quot; &amp;";
    // It appears as the schema, and at least once as an error.
    let page = until(process.address(), "schema and error are on the page", |answer| {
        answer.text().matches(escaped).count() >= 2
    });
    assert!(!page.text().contains("<script"), "{}", page.text());
}

#[tokio::test]
async fn omitted_query_is_on_page_and_denied_one_logged_once() {
    let mut database = Database::new(Shape::Mid).await;
    let url = database.reader("half_blind").await;
    database.run("revoke select on dag from half_blind").await;
    let process = Process::serve(&url, &[]);
    let denied = "backlog.sql: table dag may not be read";
    let missing = "lease_expired.sql: no table job_attempt";
    // The page also shows what this shape lacks. Another collector reports it, so it appears later.
    until(process.address(), "queries are omitted", |answer| {
        answer.text().contains(denied) && answer.text().contains(missing)
    });
    // When this is on the page, the schema was read again, and the first denial was found again.
    database.run("revoke select on queue from half_blind").await;
    let other = "table queue may not be read";
    until(process.address(), "a collector is off", |answer| answer.text().contains(other));
    let (_, _, log) = process.end("TERM");
    for (message, times) in [(denied, 1), (other, 1), (missing, 0)] {
        assert_eq!(log.matches(message).count(), times, "{message:?} in {log}");
    }
}

#[tokio::test]
async fn serve_is_healthy_at_once_and_ready_after_first_runs() {
    let mut database = Database::new(Shape::New).await;
    // Every run waits for this lock.
    database.run("begin; lock table job in access exclusive mode").await;
    let process = Process::serve(&database.url, &["--collector.timeout=20s"]);
    let address = process.address();
    assert_eq!(get(&format!("{address}/-/ready")).status, 503);
    assert_eq!(get(&format!("{address}/-/healthy")).status, 200);
    assert_eq!(get(&format!("{address}/metrics")).status, 200);
    database.run("rollback").await;
    until_ready(address);
}

#[tokio::test]
async fn unavailable_database_leaves_serve_ready_but_not_up() {
    let process = Process::serve("postgres://absent@127.0.0.1:1/none", &[]);
    let address = process.address();
    until_ready(address);
    assert_eq!(get(&format!("{address}/-/healthy")).status, 200);
    let metrics = metrics(address);
    assert_eq!(metrics.value("marie_up", &[]), Some(0.0));
    assert!(get(address).text().contains("cannot connect to PostgreSQL at 127.0.0.1:1"));
}
