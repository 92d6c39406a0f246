//! The documents: links and length, and the tests that they name exist.

mod links;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The Markdown files at the root and in `docs`.
pub(crate) fn pages() -> Vec<PathBuf> {
    fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut pages: Vec<PathBuf> = names.iter().map(|name| root().join(name)).collect();
    pages.extend(["alerts/runbooks.md", "contrib/README.md"].map(|name| root().join(name)));
    collect(&root().join("docs"), &mut pages);
    pages
}

/// The names of all functions in the Rust files under `folder`.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let declared = text.split("fn ").skip(1).filter_map(|rest| {
                let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
                (end > 0 && rest[end..].starts_with('(')).then(|| rest[..end].to_owned())
            });
            names.extend(declared);
        }
    }
}

fn all_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    functions(&root().join("tests"), &mut names);
    functions(&root().join("src"), &mut names);
    names
}

/// The rows of all tables of faults, without headings.
fn rows(page: &str) -> Vec<Vec<&str>> {
    page.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault |"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

#[test]
fn each_fault_names_a_test_that_exists() {
    let page = read("docs/faults.md");
    let functions = all_functions();
    for row in rows(&page) {
        assert_eq!(row.len(), 5, "not five cells: {row:?}");
        let tests: Vec<&str> = row[4].split(',').map(|test| test.trim().trim_matches('`')).collect();
        for test in tests {
            assert!(functions.contains(test), "no test is called {test:?}: {row:?}");
        }
    }
}

#[test]
fn each_promise_of_the_security_page_names_a_test_that_exists() {
    let page = read("docs/security.md");
    let functions = all_functions();
    let promises: Vec<&str> = page.split("(test").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(promises.len() > 20, "only {} promises name a test", promises.len());
    for test in promises.iter().flat_map(|promise| promise.split('`').skip(1).step_by(2)) {
        assert!(functions.contains(test), "no test is called {test:?}");
    }
}

#[test]
fn readme_and_architecture_stay_short() {
    for (name, limit) in [("README.md", 220), ("ARCHITECTURE.md", 150)] {
        let count = read(name).lines().count();
        assert!(count <= limit, "{name} has {count} lines, more than {limit}");
    }
}

/// A path of the repository in the text, such as `src/main.rs`; `NAME` is a placeholder.
fn paths(text: &str) -> BTreeSet<&str> {
    let spans = text.split('`').skip(1).step_by(2);
    let is_path = |span: &&str| {
        let folders =
            ["src/", "tests/", "scripts/", "benches/", "alerts/", "dashboards/", "contrib/", "docs/"];
        folders.iter().any(|folder| span.starts_with(folder))
            && !span.contains([' ', '*'])
            && !span.contains("NAME")
    };
    spans.filter(is_path).collect()
}

#[test]
fn each_path_in_the_documents_exists() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for path in paths(&text) {
            assert!(root().join(path).exists(), "{}: there is no {path}", page.display());
            count += 1;
        }
    }
    assert!(count > 40, "only {count} paths were found");
}
