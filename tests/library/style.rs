//! Limits that keep sources and documents readable: length of files and of function names, and banned words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LINES: usize = 300;
const NAME: usize = 60;

/// Returns the Rust and SQL files of `src`, `tests` and `benches`, with their paths in the repository.
fn sources() -> Vec<(String, String)> {
    let texts = texts(&["src", "tests", "benches"]);
    let is_source = |path: &str| Path::new(path).extension().is_some_and(|end| end == "rs" || end == "sql");
    texts.into_iter().filter(|(path, _)| is_source(path)).collect()
}

/// Returns every text file in these folders of the repository, with its path in the repository.
fn texts(folders: &[&str]) -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                files.push(path);
            } else if !path.ends_with("node_modules") {
                collect(&path, files);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    // Files that are not UTF-8 are pictures.
    files.iter().filter_map(|path| Some((name(path), fs::read_to_string(path).ok()?))).collect()
}

/// Returns the Markdown files in the root of the repository.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    pages.map(|path| (name(&path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn no_source_file_is_longer_than_300_lines() {
    let sources = sources();
    assert!(sources.len() > 300, "only {} files", sources.len());
    let longer: Vec<&str> = sources
        .iter()
        .filter(|(_, text)| text.lines().count() > LINES)
        .map(|(path, _)| path.as_str())
        .collect();
    assert!(longer.is_empty(), "more than {LINES} lines: {longer:?}");
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

/// Pronouns that hide the subject of a sentence, and an old word for "again".
const BANNED: &str = r"(?i)\b(?:whoever|nobody|somebody|everybody|anew|whom)\b";

/// Files that keep a banned word: the name of a Unix account.
const ALLOWED: [&str; 1] = ["src/demo/server/account.rs"];

#[test]
fn sources_and_documents_have_no_banned_words() {
    let banned = regex::Regex::new(BANNED).unwrap();
    let mut texts = texts(&["src", "tests", "benches", "scripts", "docs", "contrib"]);
    texts.extend(pages());
    assert!(texts.len() > 500, "only {} files", texts.len());
    let is_this_file = |path: &str| path == "tests/library/style.rs";
    let found: BTreeMap<&str, &str> = texts
        .iter()
        .filter(|(path, _)| !is_this_file(path))
        .filter_map(|(path, text)| Some((path.as_str(), banned.find(text)?.as_str())))
        .collect();
    let listed: BTreeSet<&str> = ALLOWED.into_iter().collect();
    let new: Vec<_> = found.iter().filter(|(path, _)| !listed.contains(*path)).collect();
    assert!(new.is_empty(), "banned words: {new:#?}");
    let clean: Vec<_> = listed.iter().filter(|path| !found.contains_key(*path)).collect();
    assert!(clean.is_empty(), "no banned word any more; remove from the list: {clean:#?}");
}
