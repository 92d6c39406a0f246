//! Limits that keep sources readable: the length of files and of function names.

use std::fs;
use std::path::{Path, PathBuf};

const LINES: usize = 300;
const NAME: usize = 60;

/// Files that are longer today. A file leaves this list when it is split.
const LONGER: [&str; 2] = ["src/config/connection.rs", "src/maintain/writer.rs"];

/// The Rust and SQL files of `src`, `tests` and `benches`, with their paths in the repository.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        collect(&root.join(folder), &mut files);
    }
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn no_source_file_is_longer_than_300_lines() {
    let sources = sources();
    assert!(sources.len() > 300, "only {} files", sources.len());
    let mut longer: Vec<&str> = sources
        .iter()
        .filter(|(_, text)| text.lines().count() > LINES)
        .map(|(path, _)| path.as_str())
        .collect();
    longer.sort_unstable();
    assert_eq!(longer, LONGER, "left: the files of more than {LINES} lines; right: those listed here");
}

#[test]
fn no_function_name_is_longer_than_60_characters() {
    let mut count = 0;
    for (path, text) in sources() {
        for rest in text.split("fn ").skip(1) {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            assert!(name.len() <= NAME, "{path}: {name} has {} characters", name.len());
            count += 1;
        }
    }
    assert!(count > 1000, "only {count} functions");
}
