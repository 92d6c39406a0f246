//! Names with quotes, markup, line breaks or 10,000 characters break no SQL, exposition or page.

use std::collections::BTreeSet;

use marie_exporter::collect::queue_labels::LONGEST;
use marie_exporter::config::quote_identifier;
use marie_exporter::demo::shape::Shape;
use sqlx::AssertSqlSafe;

use crate::support::check_metrics::promtool;
use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::process::Process;
use crate::support::scrape::{get, until, until_ready};

const NAMES: [&str; 13] = [
    "'; drop table job; --",
    "\"}\nmarie_up 7\n# HELP x",
    "<script>alert('queue')</script>",
    "<!-- \"><img src=x onerror=alert(1)>",
    "back\\slash\\",
    "line\r\nbreaks\u{2028}\u{85}",
    "tab\tand bell\u{7}",
    "$1 %s {} ${jndi:ldap://x}",
    "emoji 🙂‍↔️👩‍👩‍👧",
    "עברית\u{202e}txt.exe",
    "combining e\u{301}\u{301}\u{301}",
    "{queue=\"x\"} 1",
    " ",
];

async fn add_queue(database: &mut Database, name: &str) {
    let insert = "with queue_made as (select create_queue($1, '{}')) select count(*) from queue_made";
    sqlx::query(insert).bind(name).execute(&mut database.admin).await.unwrap();
    let insert = "insert into job (id, name, dag_id, state, started_on)
        values (gen_random_uuid(), $1, md5('dag')::uuid, 'active', now() - interval '1 day')";
    sqlx::query(insert).bind(name).execute(&mut database.admin).await.unwrap();
}

/// Returns a label's value as the text format escapes it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[tokio::test]
async fn queue_of_any_name_is_published_unchanged() {
    for shape in [Shape::Mid, Shape::New] {
        let mut database = Database::new(shape).await;
        for name in NAMES {
            add_queue(&mut database, name).await;
        }
        let process = Process::serve(&database.url, &[]);
        until_ready(process.address());
        let text = get(&format!("{}/metrics", process.address())).text();
        assert_eq!(promtool(&text), "");
        let metrics = Metrics::parse(&text);
        assert_eq!(metrics.value("marie_up", &[]), Some(1.0), "a name has become a sample");
        assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0);
        // Lines are compared, because the parser above fails at a brace in a label.
        let lines: BTreeSet<&str> = text.split('\n').collect();
        for name in NAMES.map(escaped) {
            for line in [
                format!("marie_jobs_stuck{{queue=\"{name}\"}} 1"),
                format!("marie_queue_info{{queue=\"{name}\",policy=\"\",dead_letter=\"\"}} 1"),
                format!("marie_jobs_created_total{{queue=\"{name}\"}} 0"),
            ] {
                assert!(lines.contains(line.as_str()), "on {}: no {line} in {text}", shape.name());
            }
        }
    }
}

#[tokio::test]
async fn queue_with_too_long_name_counts_as_other() {
    for shape in [Shape::Mid, Shape::New] {
        let mut database = Database::new(shape).await;
        let longest = "ä".repeat(LONGEST);
        let names = [longest.clone(), format!("{longest}x"), "y".repeat(10_000), "任".repeat(10_000)];
        for name in &names {
            add_queue(&mut database, name).await;
        }
        let dead_letter = "update queue set dead_letter = $1, policy = $1 where name = 'extract'";
        sqlx::query(AssertSqlSafe(dead_letter)).bind(&names[2]).execute(&mut database.admin).await.unwrap();
        let process = Process::serve(&database.url, &[]);
        until_ready(process.address());
        let text = get(&format!("{}/metrics", process.address())).text();
        assert_eq!(promtool(&text), "");
        assert!(text.lines().all(|line| line.chars().count() < 1000), "a line is too long");
        let metrics = Metrics::parse(&text);
        assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0);
        let stuck = |queue| metrics.value("marie_jobs_stuck", &[("queue", queue)]);
        assert_eq!((stuck(&longest), stuck("other")), (Some(1.0), Some(3.0)));
        let cut = "y".repeat(LONGEST);
        let labels = [("queue", "extract"), ("dead_letter", cut.as_str()), ("policy", &cut)];
        assert_eq!(metrics.value("marie_queue_info", &labels), Some(1.0));

        // A name that is newer than the inventory is handled in the same way.
        add_queue(&mut database, &"z".repeat(LONGEST + 1)).await;
        until(&format!("{}/metrics", process.address()), "it is counted", |answer| {
            answer.text().contains("marie_jobs_stuck{queue=\"other\"} 4")
        });
    }
}

#[tokio::test]
async fn schema_of_any_name_is_read_and_shown() {
    for name in NAMES {
        let mut database = Database::new(Shape::New).await;
        database.run(&format!("alter schema marie_scheduler rename to {}", quote_identifier(name))).await;
        let process = Process::serve(&database.url, &["--database.schema", name]);
        until_ready(process.address());
        let text = get(&format!("{}/metrics", process.address())).text();
        assert_eq!(promtool(&text), "");
        let metrics = Metrics::parse(&text);
        assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{name:?}");
        assert_eq!(metrics.value("marie_jobs_stuck", &[("queue", "extract")]), Some(0.0), "{name:?}");
        let page = get(process.address()).text();
        let shown =
            name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(page.contains(&format!("<code>{shown}</code>")), "{name:?} is not on {page}");
    }
}

#[tokio::test]
async fn markup_from_the_database_is_escaped_on_the_page() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "create function boom() returns timestamptz language plpgsql as $$
             begin
                 raise exception '<script>alert(1)</script> \"><img src=x onerror=alert(1)>';
             end
             $$;
             drop table version;
             create view version as
             select marie_scheduler.boom() as maintained_on, now() as monitored_on, now() as cron_on",
        )
        .await;
    let process = Process::serve(&database.url, &[]);
    let page = until(process.address(), "the error is shown", |answer| answer.text().contains("alert(1)"));
    let page = page.text();
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}
