//! Tables under row-level security are refused, because a count of some rows would look like a count of all.

use marie_exporter::demo::shape::Shape;
use serde_json::json;

use crate::security::role::{check, grant, server_is_at_least};
use crate::support::databases::Database;
use crate::support::process::{Process, output, text};
use crate::support::scrape::{metrics, until, until_ready};

async fn granted(role: &str) -> (Database, String) {
    let mut database = Database::new(Shape::New).await;
    let url = grant(&mut database, role, &[]).await;
    (database, url)
}

fn code(url: &str, words: &[&str]) -> (Option<i32>, String) {
    let output = output(&[words, &["--database-url", url]].concat());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

const FILTERED: &str = "row-level security keeps rows of table job from ";

#[tokio::test]
async fn filtered_table_is_a_missing_right_everywhere() {
    let (mut database, url) = granted("filtered_reader").await;
    database.run("alter table job enable row level security").await;
    let (status, shown) = code(&url, &["check"]);
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains(FILTERED) && shown.contains("DENIED  stuck.sql"), "{shown}");
    assert!(shown.contains("ALTER ROLE \"filtered_reader\" BYPASSRLS"), "{shown}");
    for words in
        [&["jobs", "stuck"] as &[&str], &["jobs", "list"], &["queues", "list"], &["dags", "list"], &["stats"]]
    {
        let (status, shown) = code(&url, words);
        assert_eq!(status, Some(1), "{words:?}: {shown}");
        assert!(shown.contains(FILTERED), "{words:?}: {shown}");
    }
    let process = Process::serve(&url, &[]);
    let off = |collector| {
        format!("marie_collector_disabled_info{{collector=\"{collector}\",reason=\"permission\"}} 1")
    };
    until(&format!("{}/metrics", process.address()), "the collectors are off", |answer| {
        ["stuck", "statistics", "sla"].iter().all(|collector| answer.text().contains(&off(collector)))
    });
    let metrics = metrics(process.address());
    assert!(
        !metrics.has("marie_jobs_stuck") && !metrics.has("marie_jobs"),
        "no number is published that covers only some rows"
    );
    let (_, _, log) = process.end("TERM");
    assert!(log.contains(FILTERED), "{log}");

    // The printed SQL makes all rows visible.
    let report = check(&url, &[]);
    database.run(report["grants"].as_str().unwrap()).await;
    let report = check(&url, &[]);
    assert_eq!(
        (&report["grants"], &report["database"]["filtered"]),
        (&json!(null), &json!([])),
        "{report:#}"
    );
    let (status, shown) = code(&url, &["jobs", "list"]);
    assert!(status == Some(0) && shown.contains("extract"), "{shown}");
}

/// Policies on `job`, and whether with them a role without ownership reads every row.
const POLICIES: [(&str, bool); 11] = [
    ("create policy a on job using (true)", true),
    ("create policy a on job for select to secured_reader using (true)", true),
    ("create policy a on job to secured_group using (true)", true),
    ("create policy a on job using (name = 'x'); create policy b on job using (true)", true),
    ("create policy a on job using (true); create policy b on job as restrictive using (true)", true),
    (
        "create policy a on job using (true); create policy b on job as restrictive for delete using (false)",
        true,
    ),
    ("create policy a on job for update using (true)", false),
    ("create policy a on job to postgres using (true)", false),
    ("create policy a on job using (name <> 'other')", false),
    ("create policy a on job using (true); create policy b on job as restrictive using (name <> 'x')", false),
    ("create policy a on job for select using (current_user = 'secured_reader')", false),
];

#[tokio::test]
async fn only_policies_that_keep_no_row_are_accepted() {
    let (mut database, url) = granted("secured_reader").await;
    database
        .run("create role secured_group role secured_reader; alter table job enable row level security")
        .await;
    for (policies, is_whole) in POLICIES {
        database.run(policies).await;
        let (status, shown) = code(&url, &["check"]);
        assert_eq!(status, Some(i32::from(!is_whole)), "{policies}: {shown}");
        let (status, shown) = code(&url, &["jobs", "list"]);
        assert_eq!(status, Some(i32::from(!is_whole)), "{policies}: {shown}");
        assert_eq!(shown.contains("extract"), is_whole, "{policies}: {shown}");
        if !is_whole {
            let report = check(&url, &[]);
            database.run(report["grants"].as_str().unwrap()).await;
            let (status, shown) = code(&url, &["check"]);
            assert_eq!(status, Some(0), "after the remedy for {policies}: {shown}");
        }
        database
            .run(
                "alter role secured_reader nobypassrls;
                 drop policy if exists a on job; drop policy if exists b on job; drop policy if exists secured_reader on job",
            )
            .await;
    }
}

#[tokio::test]
async fn forced_row_security_filters_the_owner() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "create role owner_under_force login; grant usage on schema marie_scheduler to owner_under_force;
             grant select on all tables in schema marie_scheduler to owner_under_force;
             alter table job owner to owner_under_force; alter table job enable row level security",
        )
        .await;
    let url = database.url.replace("postgres@", "owner_under_force@");
    assert_eq!(code(&url, &["jobs", "list"]).0, Some(0));
    database.run("alter table job force row level security").await;
    let (status, shown) = code(&url, &["jobs", "list"]);
    assert!(status == Some(1) && shown.contains(FILTERED), "{shown}");
    database.run("alter role owner_under_force bypassrls").await;
    assert_eq!(code(&url, &["jobs", "list"]).0, Some(0));
}

#[tokio::test]
async fn view_is_judged_by_the_rights_of_its_owner() {
    let (mut database, url) = granted("view_reader").await;
    database
        .run(
            "create role view_owner; grant usage, create on schema marie_scheduler to view_owner;
             alter schema marie_scheduler owner to view_owner;
             alter table job rename to job_rows; grant select on job_rows to view_owner, view_reader;
             create view job as select * from job_rows; alter view job owner to view_owner;
             grant select on job to view_reader;
             alter table job_rows enable row level security; create policy p on job_rows to view_reader using (true)",
        )
        .await;
    let filtered = "row-level security keeps rows of table job_rows from view_owner, whose view job reads it";
    let (status, shown) = code(&url, &["jobs", "list"]);
    assert!(status == Some(1) && shown.contains(filtered), "{shown}");
    if server_is_at_least(15) {
        database.run("alter view job set (security_invoker = true)").await;
        let (status, shown) = code(&url, &["jobs", "list"]);
        assert!(status == Some(0) && shown.contains("extract"), "{shown}");
        database.run("alter view job reset (security_invoker)").await;
    }
    database.run("alter table job_rows owner to view_owner").await;
    let (status, shown) = code(&url, &["check"]);
    assert!(status == Some(0) && shown.contains("job is a view, which may leave out rows"), "{shown}");
}

#[tokio::test]
async fn filter_added_while_serving_gives_no_wrong_number() {
    for before in ["", "alter table job enable row level security; create policy p on job using (true)"] {
        let role = if before.is_empty() { "served_reader" } else { "served_under_policy" };
        let (mut database, url) = granted(role).await;
        database.run(before).await;
        // The schema is read again after a minute at the earliest.
        let process = Process::serve(&url, &["--collector.interval=60s", "--collector.slow-interval=60s"]);
        until_ready(process.address());
        let of_queue = "marie_jobs{queue=\"extract\",state=\"active\"}";
        let page = format!("{}/metrics", process.address());
        until(&page, "the job is counted", |answer| answer.text().contains(&format!("{of_queue} 1")));
        let _ = process.end("TERM");

        let process = Process::serve(&url, &[]);
        until_ready(process.address());
        database
            .run("alter table job enable row level security; drop policy if exists p on job; create policy p on job using (name = 'idle')")
            .await;
        let page = format!("{}/metrics", process.address());
        let off = "marie_collector_disabled_info{collector=\"stuck\",reason=\"permission\"} 1";
        until(&page, "the collector is off", |answer| {
            let text = answer.text();
            assert!(!text.contains(&format!("{of_queue} 0")), "a number that covers only some rows: {text}");
            text.contains(off)
        });
        let _ = process.end("TERM");
    }
}
