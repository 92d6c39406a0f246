//! Runs reading commands in the process of the test, and returns their output as text or JSON.

use marie_exporter::cli::{self, Command};
use marie_exporter::config::Config;
use marie_exporter::inspect::{InspectCommand, Output};
use marie_exporter::terminal::table::Style;
use serde_json::Value;

/// Parses a command line without the program's name and the database URL.
pub(crate) fn parse(url: &str, words: &[&str]) -> (Config, InspectCommand) {
    let database = ["--database-url", url];
    let arguments = ["marie-exporter"].iter().chain(words).chain(&database);
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Inspect(config, command)) => (config, command),
        other => panic!("{words:?}: {other:?}"),
    }
}

pub(crate) async fn run(url: &str, words: &[&str]) -> anyhow::Result<Output> {
    let (config, command) = parse(url, words);
    command.run(&config, Style::Plain).await
}

pub(crate) async fn text(url: &str, words: &[&str]) -> String {
    run(url, words).await.unwrap_or_else(|error| panic!("{words:?}: {error}")).text
}

/// Returns the output in JSON.
pub(crate) async fn json(url: &str, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().chain(&["--format=json"]).copied().collect();
    let text = text(url, &words).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error} in {text}"))
}

/// Returns the values of one column of all rows.
pub(crate) async fn column(url: &str, words: &[&str], column: &str) -> Vec<Value> {
    let words: Vec<&str> = words.iter().chain(&["--limit=1000000"]).copied().collect();
    let rows = json(url, &words).await;
    rows.as_array().unwrap().iter().map(|row| row[column].clone()).collect()
}
