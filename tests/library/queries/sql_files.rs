//! The SQL of the collectors and of the reading commands as text: what a database of the right shape would not notice.

use std::fs;
use std::path::{Path, PathBuf};

/// Every file of SQL under `folder`, with its text.
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

fn of_folders(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<_> = folders.iter().flat_map(|folder| sql_files(&source.join(folder))).collect();
    assert!(files.len() > 20, "the SQL of {folders:?} lies elsewhere");
    files
}

fn collectors() -> Vec<(PathBuf, String)> {
    of_folders(&["collect"])
}

/// Those of the collectors and of the reading commands.
fn readers() -> Vec<(PathBuf, String)> {
    of_folders(&["collect", "inspect"])
}

/// The text without its comments, in lower case.
fn statement(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n").to_lowercase()
}

/// A database in another encoding converts every statement, and refuses one with a character that it lacks.
#[test]
fn statements_are_ascii() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sql_files(&source);
    assert!(files.len() > 100, "the SQL lies elsewhere");
    for (path, text) in files {
        assert!(text.is_ascii(), "{} has a character beyond ASCII", path.display());
    }
}

/// The search path holds no schema of the scheduler, so a bare name is an error at best.
#[test]
fn tables_are_named_with_their_schema() {
    let tables =
        ["job", "job_history", "job_dependencies", "job_attempt", "dag", "dag_history", "queue", "archive"];
    for (path, text) in of_folders(&["collect", "inspect", "maintain"]) {
        let words: Vec<String> = statement(&text).split_whitespace().map(str::to_owned).collect();
        let is_bare = |pair: &[String]| {
            ["from", "join", "into", "update", "only"].contains(&pair[0].as_str())
                && tables.contains(&pair[1].as_str())
        };
        assert!(!words.windows(2).any(is_bare), "{} names a table without its schema", path.display());
    }
}

#[test]
fn each_file_says_first_what_it_asks() {
    for (path, text) in readers() {
        assert!(text.starts_with("-- "), "{} opens with no comment", path.display());
    }
}

#[test]
fn no_statement_names_a_state_that_some_shapes_lack() {
    for (path, text) in collectors() {
        assert!(
            !statement(&text).contains("skipped"),
            "{}: an error where the enum lacks it",
            path.display()
        );
    }
}

/// SQL cannot share an expression, so the rule which SLA is a promise stands in each file that judges one.
#[test]
fn every_judge_of_slas_has_the_same_rule() {
    let judges = ["job_events.sql", "sla.sql", "overdue.sql"];
    let mut found = 0;
    for (path, text) in readers() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if judges.contains(&name.as_str()) {
            found += 1;
            assert!(statement(&text).contains("created_on + interval '1 minute'"), "{name}");
        } else {
            assert!(
                !statement(&text).contains("_sla >") && !statement(&text).contains("deadline >"),
                "{name}"
            );
        }
    }
    assert_eq!(found, judges.len());
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
fn no_statement_looks_at_a_clock_that_moves_within_a_run() {
    for (path, text) in readers() {
        for clock in ["clock_timestamp", "statement_timestamp", "timeofday"] {
            assert!(!statement(&text).contains(clock), "{} uses {clock}", path.display());
        }
    }
}
