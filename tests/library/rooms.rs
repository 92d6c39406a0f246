//! The dependencies between the modules under `src`: which room may use which, and no circle of imports in any folder.
//!
//! Each path that begins with `crate`, `self` or `super` outside of unit tests counts as an import. Imports between a
//! folder's `mod.rs` and the files in the folder do not count, because they are one unit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Path of a module, such as `["collect", "events", "totals"]`.
type Module = Vec<String>;

/// By folder, the entries of the same folder that each entry imports.
type Folders = BTreeMap<Module, BTreeMap<String, BTreeSet<String>>>;

/// Reads every source file except unit tests, `main.rs` and `lib.rs`.
fn modules() -> BTreeMap<Module, String> {
    fn read(folder: &Path, module: &[String], modules: &mut BTreeMap<Module, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name.ends_with("tests") || ["main", "lib"].contains(&&*name) {
                continue;
            }
            let is_face = name == "mod";
            let child = [module, &[name]].concat();
            if path.is_dir() {
                read(&path, &child, modules);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                modules.insert(if is_face { module.to_vec() } else { child }, code(&text));
            }
        }
    }
    let mut modules = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut modules);
    modules
}

/// Returns the text without comments and without its unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the paths in `text` that begin in this crate, with braces expanded.
fn paths(text: &str) -> Vec<Vec<String>> {
    let start = regex::Regex::new(r"(?:^|[^\w:$])\$?((?:crate|self|super)::)").unwrap();
    let mut paths = Vec::new();
    for found in start.captures_iter(text) {
        tree(&text[found.get(1).unwrap().start()..], &[], &mut paths);
    }
    paths
}

/// Adds the paths of one `use` tree at the beginning of `text`; returns the text after it.
fn tree<'a>(text: &'a str, before: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            while !inside.trim_start().starts_with('}') && !inside.trim_start().is_empty() {
                inside = tree(inside, &path, paths).trim_start().trim_start_matches(',');
            }
            return inside.trim_start().trim_start_matches('}');
        }
        let length =
            rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        if word != "self" || path.is_empty() {
            path.push(word.to_owned());
        }
        match after.strip_prefix("::") {
            Some(more) if length > 0 => rest = more.trim_start(),
            _ => {
                paths.push(path);
                // Skip text that is not a path, such as `as name` or `*`.
                return after.trim_start_matches(|letter: char| !",}".contains(letter) && length == 0);
            }
        }
    }
}

/// Returns the module that contains the target of a path in `from`.
fn target(path: &[String], from: &Module, modules: &BTreeMap<Module, String>) -> Option<Module> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    let mut base = match path[0].as_str() {
        "crate" => Vec::new(),
        _ => from[..from.len().checked_sub(ups)?].to_vec(),
    };
    base.extend(path[ups.max(usize::from(ups == 0))..].iter().cloned());
    while !base.is_empty() && !modules.contains_key(&base) {
        base.pop();
    }
    (!base.is_empty()).then_some(base)
}

fn folders() -> Folders {
    let modules = modules();
    assert!(modules.len() > 150, "only {} modules", modules.len());
    let mut folders = Folders::new();
    for (from, text) in &modules {
        for to in paths(text).iter().filter_map(|path| target(path, from, &modules)) {
            let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            if common < from.len() && common < to.len() {
                let uses = folders.entry(from[..common].to_vec()).or_default();
                uses.entry(from[common].clone()).or_default().insert(to[common].clone());
            }
        }
    }
    folders
}

/// Returns the entries that are in a circle or import one, by repeatedly removing entries without imports.
fn circles(mut uses: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let names: BTreeSet<String> = uses.keys().cloned().collect();
        let before = uses.len();
        uses.retain(|_, used| used.iter().any(|name| names.contains(name)));
        if uses.len() == before {
            return uses.into_keys().collect();
        }
    }
}

#[test]
fn no_folder_has_a_circle_of_imports() {
    for (folder, uses) in folders() {
        assert_eq!(circles(uses), [""; 0], "a circle in src/{}", folder.join("/"));
    }
}

/// Rooms that do not need Marie, such as `http`, import no room that knows Marie.
#[test]
fn rooms_use_only_the_rooms_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("terminal", &[][..]),
        ("config", &["http"]),
        ("metrics", &[]),
        ("postgres", &["config", "terminal"]),
        ("http", &[]),
        ("schema", &["config", "postgres", "terminal"]),
        ("collect", &["config", "metrics", "postgres", "schema"]),
        ("serve", &["collect", "config", "http", "schema", "terminal"]),
        ("inspect", &["collect", "config", "postgres", "schema", "terminal"]),
        ("maintain", &["collect", "config", "inspect", "postgres", "schema", "terminal"]),
        ("cli", &["collect", "config", "http", "inspect", "maintain", "metrics", "serve"]),
        ("demo", &["config", "postgres", "serve"]),
    ]);
    let folders = folders();
    for (room, used) in &folders[&Vec::new()] {
        let allowed = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is a new room"));
        let others: Vec<_> = used.iter().filter(|other| !allowed.contains(&other.as_str())).collect();
        assert!(others.is_empty(), "src/{room} uses {others:?}");
    }
}

#[test]
fn src_has_at_most_14_entries() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(fs::read_dir(source).unwrap().count() <= 14);
}

#[test]
fn paths_are_read_from_imports_and_expressions() {
    let text = "use crate::a::{self, b::{C, d}, e};\nlet x = super::f::g(self::h, std::i::j);";
    let read: Vec<_> = paths(text).iter().map(|path| path.join("::")).collect();
    let expected = ["crate::a", "crate::a::b::C", "crate::a::b::d", "crate::a::e", "super::f::g", "self::h"];
    assert_eq!(read, expected);
    let uses = |pairs: &[(&str, &str)]| {
        let set = |to: &str| BTreeSet::from([to.to_owned()]);
        pairs.iter().map(|(from, to)| ((*from).to_owned(), set(to))).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(circles(uses(&[("a", "b"), ("b", "c")])), [""; 0]);
    assert_eq!(circles(uses(&[("a", "b"), ("b", "a"), ("c", "d")])), ["a", "b"]);
}
