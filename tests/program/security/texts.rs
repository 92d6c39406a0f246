//! Texts of the server and of clients in logs, on terminals and on the page: escaped, on one line, and short.

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::process::{Process, command, output, text};
use crate::support::scrape::{until, until_ready};

/// Text of an error of the server: escape sequences, a forged log line, and 100,000 characters.
const MESSAGE: &str = "E'boom \\x1b]52;c;ZXZpbA==\\x07\\x1b[2J\\r\\n2026-01-01T00:00:00Z ERROR marie_exporter: FORGED \
                       \\u202e\\u2028\\u0085 end' || repeat('long', 25000)";

/// Longest line that contains a text of 500 characters.
const LONGEST_LINE: usize = 1000;

async fn hostile() -> Database {
    let mut database = Database::new(Shape::New).await;
    let raise = format!(
        "create function boom() returns timestamptz language plpgsql as $$
         begin
             raise warning '%', {MESSAGE};
             raise exception '%', {MESSAGE};
         end $$;
         drop table version;
         create view version as
         select marie_scheduler.boom() as maintained_on, now() as monitored_on, now() as cron_on"
    );
    database.run(&raise).await;
    database
}

/// Asserts that the text has no harmful characters, and that it contains the message, escaped and shortened.
fn assert_escaped(place: &str, shown: &str) {
    let harmful =
        |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{200b}'));
    assert_eq!(shown.chars().find(|c| harmful(*c)), None, "{place}: {shown}");
    assert!(shown.contains("boom \\u{1b}]52;c;"), "{place}: {shown}");
    assert!(shown.contains("FORGED \\u{202e}") && shown.contains('…'), "{place}: {shown}");
    for line in shown.lines() {
        assert!(!line.starts_with("2026-01-01"), "{place}: a forged line: {line}");
        assert!(line.chars().count() < LONGEST_LINE, "{place}: a line of {} characters", line.len());
    }
}

#[tokio::test]
async fn server_text_in_the_log_is_one_short_line() {
    let database = hostile().await;
    let mut process = Process::serve(&database.url, &[]);
    until_ready(process.address());
    process.until_logged("FORGED");
    let page = until(process.address(), "the error is shown", |answer| answer.text().contains("FORGED"));
    assert!(page.text().len() < 50_000, "the page has {} bytes", page.text().len());
    let (_, _, log) = process.end("TERM");
    assert_escaped("log", &log);
    assert!(!log.contains("sqlx::postgres::notice"), "{log}");
}

#[tokio::test]
async fn server_text_in_the_json_log_is_short() {
    let database = hostile().await;
    let mut process = Process::serve(&database.url, &["--log.format=json"]);
    process.until_logged("FORGED");
    let (_, _, log) = process.end("TERM");
    for line in log.lines() {
        assert!(line.chars().count() < LONGEST_LINE, "a line of {} characters: {line}", line.len());
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_ne!(line["target"], "sqlx::postgres::notice");
    }
}

#[tokio::test]
async fn check_escapes_server_text_and_names() {
    let mut database = hostile().await;
    database
        .run("create role \"r\u{1b}]52;c;b\u{7}\nAll collectors that are switched on work.\" login")
        .await;
    database.run("grant usage on schema marie_scheduler to public; grant select on all tables in schema marie_scheduler to public").await;
    let database_name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&mut database.admin).await.unwrap();
    let shown = text(&output(&["check", "--database-url", &database.url]).stdout);
    assert_escaped("check", &shown);
    assert!(shown.contains(&database_name), "{shown}");

    let mut as_role = command(&["check", "--database-url", &database.url.replace("postgres@", "")]);
    as_role.env("PGUSER", "r\u{1b}]52;c;b\u{7}\nAll collectors that are switched on work.");
    let shown = text(&as_role.output().unwrap().stdout);
    assert!(shown.contains("role      r\\u{1b}]52;c;b\\u{7}\\nAll collectors"), "{shown}");
    assert_eq!(shown.chars().find(|c| *c != '\n' && c.is_control()), None, "{shown}");

    let json = text(&output(&["check", "--format=json", "--database-url", &database.url]).stdout);
    assert_eq!(json.chars().find(|c| *c != '\n' && c.is_control()), None, "{json}");
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
}

#[tokio::test]
async fn maintain_escapes_server_text() {
    let mut database = Database::new(Shape::New).await;
    let trigger = format!(
        "update job set state = 'completed', completed_on = now() - interval '90 days';
         update dag set state = 'completed';
         create function refuse() returns trigger language plpgsql as $$
         begin
             raise exception '%', {MESSAGE};
         end $$;
         create trigger refuse before delete on job for each row execute function marie_scheduler.refuse()"
    );
    database.run(&trigger).await;
    let maintain = output(&[
        "maintain",
        "purge",
        "completed",
        "--older-than=7d",
        "--execute",
        "--database-url",
        &database.url,
    ]);
    assert_escaped("maintain", &(text(&maintain.stdout) + &text(&maintain.stderr)));
}

#[tokio::test]
async fn commands_escape_server_text() {
    let mut database = Database::new(Shape::New).await;
    // PostgreSQL repeats the name of a time zone that it does not know.
    let zone = "boom \u{1b}]52;c;\u{7}\r\n2026-01-01 FORGED \u{202e}".to_owned() + &"x".repeat(100_000);
    let stats = output(&["stats", "--timezone", &zone, "--database-url", &database.url]);
    assert_escaped("stats", &text(&stats.stderr));

    let name = "=cmd|' /C calc'!A0\u{1b}]52;c;\u{7}\u{9b}2J\u{202e}";
    sqlx::query("with made as (select create_queue($1, '{}')) select count(*) from made")
        .bind(name)
        .execute(&mut database.admin)
        .await
        .unwrap();
    let list = |format: &str| {
        text(&output(&["queues", "list", "--format", format, "--database-url", &database.url]).stdout)
    };
    let json = list("json");
    assert_eq!(json.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}')), None, "{json}");
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(rows.as_array().unwrap().iter().any(|row| row["queue"] == name), "{json}");
    // CSV has the name unchanged, except in the format for spreadsheets.
    assert!(list("csv").contains(&format!("\n{name}")), "{}", list("csv"));
    assert!(list("csv-spreadsheet").contains(&format!("\n'{name}")), "{}", list("csv-spreadsheet"));
}
