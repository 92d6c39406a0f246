//! Checks of the SQL files as text, for mistakes that a test database of the right shape does not reveal.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every SQL file under `folder` with its text.
fn sql_files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sql_files(&path)
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let text = fs::read_to_string(&path).unwrap();
                vec![(path, text)]
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// Returns every SQL file under these folders of `src`.
fn files_in(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<_> = folders.iter().flat_map(|folder| sql_files(&source.join(folder))).collect();
    assert!(files.len() > 20, "only {} SQL files in {folders:?}", files.len());
    files
}

fn collectors() -> Vec<(PathBuf, String)> {
    files_in(&["collect"])
}

/// Returns the SQL of the collectors and of the reading commands.
fn readers() -> Vec<(PathBuf, String)> {
    files_in(&["collect", "inspect"])
}

/// Returns the text in lower case without comments.
fn statement(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n").to_lowercase()
}

/// A database in another encoding converts every statement, and rejects characters that its encoding lacks.
#[test]
fn statements_are_ascii() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sql_files(&source);
    assert!(files.len() > 100, "only {} SQL files", files.len());
    for (path, text) in files {
        assert!(text.is_ascii(), "{} has a character that is not ASCII", path.display());
    }
}

/// The search path does not contain the scheduler's schema, so an unqualified name fails or finds another table.
#[test]
fn tables_are_named_with_their_schema() {
    let tables =
        ["job", "job_history", "job_dependencies", "job_attempt", "dag", "dag_history", "queue", "archive"];
    for (path, text) in files_in(&["collect", "inspect", "maintain"]) {
        let words: Vec<String> = statement(&text).split_whitespace().map(str::to_owned).collect();
        let is_bare = |pair: &[String]| {
            ["from", "join", "into", "update", "only"].contains(&pair[0].as_str())
                && tables.contains(&pair[1].as_str())
        };
        assert!(!words.windows(2).any(is_bare), "{} names a table without its schema", path.display());
    }
}

#[test]
fn each_sql_file_begins_with_a_comment() {
    for (path, text) in readers() {
        assert!(text.starts_with("-- "), "{} does not begin with a comment", path.display());
    }
}

#[test]
fn no_statement_names_a_state_that_some_shapes_lack() {
    for (path, text) in collectors() {
        assert!(
            !statement(&text).contains("skipped"),
            "{}: this fails if the enum lacks the state",
            path.display()
        );
    }
}

/// SQL files cannot share an expression, so each file that evaluates SLAs repeats the rule which SLAs count.
#[test]
fn files_that_evaluate_slas_have_the_same_rule() {
    let evaluating = ["job_events.sql", "backlog.sql", "overdue.sql"];
    let mut found = 0;
    for (path, text) in readers() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if evaluating.contains(&name.as_str()) {
            found += 1;
            assert!(statement(&text).contains("created_on + interval '1 minute'"), "{name}");
        } else {
            assert!(
                !statement(&text).contains("_sla >") && !statement(&text).contains("deadline >"),
                "{name}"
            );
        }
    }
    assert_eq!(found, evaluating.len());
}

#[test]
fn no_statement_depends_on_the_order_of_columns() {
    for (path, text) in readers() {
        let words: Vec<String> = statement(&text).split_whitespace().map(str::to_owned).collect();
        let stars = words.windows(2).any(|pair| pair[0] == "select" && pair[1].starts_with('*'));
        assert!(!stars && !statement(&text).contains(".*"), "{} selects every column", path.display());
    }
}

#[test]
fn no_statement_uses_a_clock_that_moves_within_a_run() {
    for (path, text) in readers() {
        for clock in ["clock_timestamp", "statement_timestamp", "timeofday"] {
            assert!(!statement(&text).contains(clock), "{} uses {clock}", path.display());
        }
    }
}
