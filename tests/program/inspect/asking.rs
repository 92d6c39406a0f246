//! A reading command asked for in words, and its answer as text or as JSON.

use marie_exporter::cli::{self, Command};
use marie_exporter::config::Config;
use marie_exporter::inspect::{InspectCommand, Output};
use marie_exporter::terminal::table::Style;
use serde_json::Value;

/// What is asked with these words of this database.
pub(crate) fn parsed(url: &str, words: &[&str]) -> (Config, InspectCommand) {
    let database = ["--database-url", url];
    let arguments = ["marie-exporter"].iter().chain(words).chain(&database);
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Inspect(config, command)) => (config, command),
        other => panic!("{words:?}: {other:?}"),
    }
}

pub(crate) async fn ask(url: &str, words: &[&str]) -> anyhow::Result<Output> {
    let (config, command) = parsed(url, words);
    command.run(&config, Style::Plain).await
}

pub(crate) async fn text(url: &str, words: &[&str]) -> String {
    ask(url, words).await.unwrap_or_else(|error| panic!("{words:?}: {error}")).text
}

/// Its answer in JSON.
pub(crate) async fn json(url: &str, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().chain(&["--format=json"]).copied().collect();
    let text = text(url, &words).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error} in {text}"))
}

/// The values of one column of all rows, one page of a million.
pub(crate) async fn column(url: &str, words: &[&str], column: &str) -> Vec<Value> {
    let words: Vec<&str> = words.iter().chain(&["--limit=1000000"]).copied().collect();
    let rows = json(url, &words).await;
    rows.as_array().unwrap().iter().map(|row| row[column].clone()).collect()
}
