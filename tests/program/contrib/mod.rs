//! The files of `contrib/` match the binary: their command lines start it, and their paths exist. `man` and shells accept
//! the pages and completions that the binary prints.

mod kubernetes;
mod manual;
#[cfg(target_os = "linux")]
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::process::{self, Process, output, text};

/// Returns the path of a file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a program that the tests need; `scripts/require.sh` installs it.
fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Returns the output of `marie-exporter serve --help`.
fn help() -> String {
    text(&output(&["serve", "--help"]).stdout)
}

#[test]
fn every_variable_named_in_contrib_is_a_setting() {
    let help = help();
    for name in [
        "docs/operations.md",
        "contrib/docker/Dockerfile",
        "contrib/kubernetes/marie-exporter.yml",
        "contrib/systemd/config.yml",
        "contrib/systemd/marie-exporter.service",
    ] {
        let text = read(name);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
        for word in words.filter(|word| word.starts_with("MARIE_EXPORTER_")) {
            assert!(help.contains(&format!("[env: {word}]")), "{name}: {word}");
        }
    }
}

/// Starts the exporter with a command line of `contrib/`, with replacements of text. The database need not exist, because
/// serving begins without one.
fn start(arguments: &str, replaced: &[(&str, &str)]) -> Process {
    let arguments = replaced.iter().fold(arguments.to_owned(), |line, (from, to)| {
        assert!(line.contains(from), "{from} is not in {line}");
        line.replace(from, to)
    });
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    Process::start(process::command(&arguments), 1)
}
