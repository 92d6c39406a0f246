//! Finds PostgreSQL's server programs on this machine: in PATH, then in the folders of packages, newest version first.
//! Packages for Linux have one folder for each major version and do not add it to PATH.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders in which packages install the server. `*` matches the version.
const PACKAGE_FOLDERS: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/local/bin",
    "/usr/local/pgsql/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
];

pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    /// Without the vendor's suffix, such as `15.18`.
    pub(super) version: String,
}

impl Binaries {
    pub(super) fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(PACKAGE_FOLDERS.iter().flat_map(|pattern| matching(pattern)))
            .filter(|folder| folder.is_absolute())
            .find_map(|folder| Some(Self { version: version(&folder)?, folder }))
    }

    /// Returns the searched places, for the error message.
    pub(super) fn searched() -> String {
        format!("PATH, {}", PACKAGE_FOLDERS.join(", "))
    }
}

/// Returns the folders that match a pattern with at most one `*`, highest version first.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let Some((parent, prefix)) = before.rsplit_once('/') else {
        return Vec::new();
    };
    let names = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut versions: Vec<String> = names
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(prefix).map(str::to_owned))
        .collect();
    versions.sort_by_cached_key(|version| Reverse(number(version)));
    versions.iter().map(|version| format!("{before}{version}{after}").into()).collect()
}

/// Returns the major version: 17 of `@17` and `17`, 9 of `9.6`, 0 without a number.
fn number(version: &str) -> u32 {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

/// Runs `postgres --version`, which also shows that the program runs here. Returns `None` if a program is missing.
fn version(folder: &Path) -> Option<String> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_read_from_folder_name() {
        assert_eq!(["17", "@17", "9.6", ""].map(number), [17, 17, 9, 0]);
    }

    #[test]
    fn pattern_without_match_gives_no_folder() {
        assert!(matching("/no/such/place-*/bin").is_empty());
    }
}
