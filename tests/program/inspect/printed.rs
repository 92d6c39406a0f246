//! Output of the binary for people and programs: it is readable and controls no terminal, whatever text clients wrote.

use std::io::Read;
use std::process::Stdio;

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::inspect::terminal::Terminal;
use crate::support::databases::Database;
use crate::support::process::{command, output, text};

/// Runs the binary, which must succeed, and returns its output.
pub(crate) fn printed(url: &str, words: &[&str]) -> String {
    let output = output(&[words, &["--database-url", url]].concat());
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn json(url: &str, words: &[&str]) -> Value {
    serde_json::from_str(&printed(url, &[words, &["--format=json"]].concat())).unwrap()
}

pub(crate) fn id(number: usize) -> String {
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

/// Creates a database with a job in each hostile queue, in a shape that accepts names of any length.
async fn hostile_database() -> Database {
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
async fn json_and_csv_contain_every_name_unchanged() {
    let database = hostile_database().await;
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
async fn table_has_one_line_per_row_and_no_control_characters() {
    let database = hostile_database().await;
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
        let controls = |c: char| {
            c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        };
        assert_eq!(table.chars().find(|c| controls(*c)), None, "{words:?}: {table}");
    }
    let table = printed(&database.url, &["jobs", "list"]);
    for shown in
        ["two\\nlines", "\\u{1b}[31mred\\u{1b}]0;title\\u{7}", "\\u{9b}2J", "🦀 任务 ☃", "back\\slash"]
    {
        assert!(table.contains(shown), "{shown} is not in {table}");
    }
}

/// Returns every reading command, for this job and this DAG.
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
async fn only_terminals_without_no_color_get_colours() {
    let database = hostile_database().await;
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
async fn notes_go_to_standard_error() {
    let database = hostile_database().await;
    let short = output(&["jobs", "list", "--limit=2", "--format=json", "--database-url", &database.url]);
    assert_eq!(serde_json::from_slice::<Value>(&short.stdout).unwrap().as_array().unwrap().len(), 2);
    assert_eq!(text(&short.stderr), "There are more: --page 2, or a larger --limit\n");
    let none = output(&["jobs", "stuck", "--database-url", &database.url]);
    assert_eq!((text(&none.stdout), text(&none.stderr)), (String::new(), "No rows.\n".to_owned()));
    let none = output(&["jobs", "stuck", "--format=json", "--database-url", &database.url]);
    assert_eq!((text(&none.stdout), text(&none.stderr)), ("[]\n".to_owned(), String::new()));
    let missing = output(&["jobs", "show", &id(999), "--database-url", &database.url]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stdout.is_empty() && text(&missing.stderr).starts_with("error: there is no job"));
}

#[tokio::test]
async fn pipe_closed_after_the_beginning_is_no_error() {
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
