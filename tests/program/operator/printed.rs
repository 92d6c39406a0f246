//! What the binary prints, for people and for programs: whatever clients and clocks wrote, it can be read, and steers no
//! terminal.

use std::io::Read;
use std::process::Stdio;

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::operator::asking;
use crate::operator::terminal::Terminal;
use crate::support::databases::Database;
use crate::support::process::{command, output, text};

/// What the binary prints for these words, which must succeed.
fn printed(url: &str, words: &[&str]) -> String {
    let output = output(&[words, &["--database-url", url]].concat());
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(url: &str, words: &[&str]) -> Value {
    serde_json::from_str(&printed(url, &[words, &["--format=json"]].concat())).unwrap()
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn hostile_names() -> Vec<String> {
    let long = "0123456789ä🦀".repeat(800);
    let names = [
        "plain",
        "",
        " ",
        "\"quoted\"",
        "it's, $q$; drop table job; --",
        "two\nlines",
        "\r\n\ttabs",
        "\u{1b}[31mred\u{1b}]0;title\u{7}",
        "\u{9b}2J",
        "\u{202e}desrever\u{2066}",
        "🦀 任务 ☃",
        "back\\slash",
        "null",
        "NULL",
        "-",
        "=1+1",
        "{\"json\": [1]}",
        &long,
    ];
    names.map(str::to_owned).to_vec()
}

/// One job in each hostile queue, in a shape that takes names of any length.
async fn hostile() -> Database {
    let mut database = Database::new(Shape::Page).await;
    for (number, name) in hostile_names().iter().enumerate() {
        sqlx::query(
            "insert into job (id, name, state, dag_id) values ($1::text::uuid, $2, 'failed', $1::text::uuid)",
        )
        .bind(id(number))
        .bind(name)
        .execute(&mut database.admin)
        .await
        .unwrap();
    }
    database
}

#[tokio::test]
async fn json_and_csv_hold_every_name_as_it_is() {
    let database = hostile().await;
    for words in [["jobs", "list"], ["jobs", "failed"]] {
        let rows = json(&database.url, &words);
        let rows = rows.as_array().unwrap();
        let mut names: Vec<&str> = rows.iter().map(|row| row["queue"].as_str().unwrap()).collect();
        let mut expected = hostile_names();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);

        let csv = printed(&database.url, &[&words[..], &["--format=csv"]].concat());
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let headers = reader.headers().unwrap().clone();
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), rows.len());
        for (record, row) in records.iter().zip(rows) {
            assert_eq!(headers.len(), row.as_object().unwrap().len());
            for (header, value) in headers.iter().zip(record) {
                let json = match &row[header] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(value, json, "{header}");
            }
        }
    }
}

#[tokio::test]
async fn table_has_a_line_a_row_and_no_control_characters() {
    let database = hostile().await;
    let last = id(hostile_names().len() - 1);
    for (words, lines) in [
        (vec!["jobs", "list"], Some(1 + hostile_names().len())),
        (vec!["jobs", "failed"], Some(1 + hostile_names().len())),
        (vec!["stats"], Some(1 + hostile_names().len())),
        (vec!["jobs", "show", &id(7)], None),
        (vec!["dags", "show", &id(7)], None),
        (vec!["jobs", "show", &last], None),
    ] {
        let table = printed(&database.url, &words);
        if let Some(lines) = lines {
            assert_eq!(table.lines().count(), lines, "{words:?}: {table}");
        }
        let steers = |c: char| {
            c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        };
        assert_eq!(table.chars().find(|c| steers(*c)), None, "{words:?}: {table}");
    }
    let table = printed(&database.url, &["jobs", "list"]);
    for shown in
        ["two\\nlines", "\\u{1b}[31mred\\u{1b}]0;title\\u{7}", "\\u{9b}2J", "🦀 任务 ☃", "back\\slash"]
    {
        assert!(table.contains(shown), "{shown} is not in {table}");
    }
}

/// Every reading command, for this job and this DAG.
pub(crate) fn commands<'a>(shape: Shape, job: &'a str, dag: &'a str) -> Vec<Vec<&'a str>> {
    let mut commands = vec![
        vec!["jobs", "list"],
        vec!["jobs", "list", "--state=active", "--queue=extract", "--since=1h", "--dag", dag],
        vec!["jobs", "show", job],
        vec!["jobs", "stuck"],
        vec!["jobs", "failed"],
        vec!["jobs", "retrying"],
        vec!["jobs", "next"],
        vec!["jobs", "overdue"],
        vec!["jobs", "next", "--per-dag"],
        vec!["dags", "show", dag],
        vec!["stats"],
        vec!["stats", "throughput"],
        vec!["stats", "retries"],
    ];
    if shape != Shape::Page {
        commands.push(vec!["queues", "list"]);
        commands.push(vec!["dags", "list"]);
    }
    commands
}

#[tokio::test]
async fn dates_that_are_none_are_printed_as_they_stand() {
    let dates = [
        "infinity",
        "-infinity",
        "10000-01-01 00:00:00+00",
        "0044-03-15 12:00:00+00 BC",
        "1969-07-20 20:17:40+00",
    ];
    for shape in Shape::ALL {
        let mut database = Database::new(shape).await;
        let is_page = shape == Shape::Page;
        if !is_page {
            database.run("alter table job disable trigger all").await;
        }
        let states = ["created", "retry", "active", "completed", "failed"];
        let mut number = 0;
        for date in dates.map(|date| format!("'{date}'")).into_iter().chain(["null".to_owned()]) {
            for state in states {
                number += 1;
                let created = if date == "null" { "now()" } else { &date };
                // These shapes' generated columns take no infinite creation.
                let (column, value) = if is_page { ("", "") } else { (", start_after", created) };
                let comma = if is_page { "" } else { ", " };
                database
                    .run(&format!(
                        "insert into job (id, name, dag_id, state, created_on, started_on, completed_on {column})
                         values ('{}', 'extract', md5('dag')::uuid, '{state}', {created}, {date}, {date} {comma}{value})",
                        id(number)
                    ))
                    .await;
            }
        }
        let dag =
            json(&database.url, &["jobs", "list", "--limit=1"])[0]["dag_id"].as_str().unwrap().to_owned();
        for words in commands(shape, &id(3), &dag) {
            for format in ["--format=table", "--format=json"] {
                printed(&database.url, &[&words[..], &[format]].concat());
            }
        }
        for job in 1..=number {
            let shown = asking::json(&database.url, &["jobs", "show", &id(job)]).await;
            let date = dates.get((job - 1) / states.len());
            let expected = date.map(|date| match date.split_once(' ') {
                Some(("0044-03-15", _)) => "0044-03-15T12:00:00+00:00 BC".to_owned(),
                Some(_) => date.replace(' ', "T") + ":00",
                None => (*date).to_owned(),
            });
            assert_eq!(shown["job"]["started_on"], Value::from(expected), "{job} on {}", shape.name());
        }
    }
}

#[tokio::test]
async fn times_are_printed_in_the_chosen_zone_all_year() {
    let mut database = Database::new(Shape::Page).await;
    for (number, created) in [(2, "2026-07-01 12:00:00.5+00"), (1, "2026-12-01 12:00:00+00")] {
        let insert = format!(
            "insert into job (id, name, created_on) values ('{}', 'extract', '{created}')",
            id(number)
        );
        database.run(&insert).await;
    }
    for (zone, summer, winter) in [
        ("Europe/Berlin", "2026-07-01 14:00:00+02:00", "2026-12-01 13:00:00+01:00"),
        ("UTC", "2026-07-01 12:00:00Z", "2026-12-01 12:00:00Z"),
        ("America/St_Johns", "2026-07-01 09:30:00-02:30", "2026-12-01 08:30:00-03:30"),
    ] {
        let table = printed(&database.url, &["jobs", "list", "--timezone", zone]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].contains(summer) && lines[2].contains(winter), "{zone}: {table}");
    }
    // As in ISO 8601, east of UTC is positive.
    for (zone, summer) in [
        ("+05:30", "2026-07-01 17:30:00+05:30"),
        ("+0530", "2026-07-01 17:30:00+05:30"),
        ("UTC+05:30", "2026-07-01 17:30:00+05:30"),
        ("<+05:30>-05:30", "2026-07-01 17:30:00+05:30"),
        ("+05", "2026-07-01 17:00:00+05:00"),
        ("+5", "2026-07-01 17:00:00+05:00"),
        ("5.5", "2026-07-01 17:30:00+05:30"),
        ("UTC+2", "2026-07-01 14:00:00+02:00"),
        ("GMT-3", "2026-07-01 09:00:00-03:00"),
        ("-03:30", "2026-07-01 08:30:00-03:30"),
        ("-03", "2026-07-01 09:00:00-03:00"),
        ("Etc/GMT+3", "2026-07-01 09:00:00-03:00"),
        ("EST5EDT", "2026-07-01 08:00:00-04:00"),
        ("Z", "2026-07-01 12:00:00Z"),
    ] {
        let table = printed(&database.url, &["jobs", "list", &format!("--timezone={zone}")]);
        assert!(table.contains(summer), "{zone}: {table}");
        let instant =
            format!("select '{}'::timestamptz = '2026-07-01 12:00:00Z'", summer.replace('Z', "+00"));
        let is_same: bool =
            sqlx::query_scalar(sqlx::AssertSqlSafe(instant)).fetch_one(&mut database.admin).await.unwrap();
        assert!(is_same, "{zone}: {summer} is another instant");
    }
    for zone in ["CET+1", "IST-5:30", "05:30", "+24:00"] {
        let refused =
            output(&["jobs", "list", "--database-url", &database.url, &format!("--timezone={zone}")]);
        assert!(text(&refused.stderr).contains("Asia/Kolkata"), "{zone}: {}", text(&refused.stderr));
    }
    let csv = printed(&database.url, &["jobs", "list", "--timezone=Europe/Berlin", "--format=csv"]);
    assert!(csv.contains(",2026-07-01T14:00:00.5+02:00,"), "{csv}");
    let refused = output(&["jobs", "list", "--database-url", &database.url, "--timezone=Europe/Atlantis"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(error.contains("--timezone") && error.contains("Europe/Atlantis"), "{error}");
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let database = hostile().await;
    let plain = printed(&database.url, &["jobs", "list"]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let url = &database.url;
    for (variables, is_coloured) in [("", true), ("NO_COLOR=1", false), ("NO_COLOR=", true)] {
        let terminal =
            Terminal::running(variables, &["jobs", "failed", "--limit=1", "--database-url", url], 200, 20);
        terminal.until("the list", |screen| screen.contains("failed") && screen.contains("ended with 0"));
        let screen = terminal.with_colours();
        assert_eq!(screen.contains("mfailed"), is_coloured, "{variables:?}: {screen:?}");
    }
}

#[tokio::test]
async fn that_there_is_more_is_no_part_of_the_answer() {
    let database = hostile().await;
    let short = output(&["jobs", "list", "--limit=2", "--format=json", "--database-url", &database.url]);
    assert_eq!(serde_json::from_slice::<Value>(&short.stdout).unwrap().as_array().unwrap().len(), 2);
    assert_eq!(text(&short.stderr), "There are more: --page 2, or a larger --limit\n");
    let none = output(&["jobs", "stuck", "--database-url", &database.url]);
    assert_eq!((text(&none.stdout), text(&none.stderr)), (String::new(), "None.\n".to_owned()));
    let none = output(&["jobs", "stuck", "--format=json", "--database-url", &database.url]);
    assert_eq!((text(&none.stdout), text(&none.stderr)), ("[]\n".to_owned(), String::new()));
    let missing = output(&["jobs", "show", &id(999), "--database-url", &database.url]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stdout.is_empty() && text(&missing.stderr).starts_with("error: there is no job"));
}

#[tokio::test]
async fn whoever_reads_only_the_beginning_is_no_trouble() {
    let mut database = Database::new(Shape::Page).await;
    database
        .run("insert into job (id, name) select md5(n::text)::uuid, 'extract' from generate_series(1, 5000) as n")
        .await;
    let mut child = command(&["jobs", "list", "--limit=5000", "--database-url", &database.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut beginning = [0; 10];
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut beginning).unwrap();
    drop(pipe);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{:?}: {}", ended.status, text(&ended.stderr));
}
