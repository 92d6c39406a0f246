//! Where this machine's PostgreSQL server binaries are. Linux packages keep them out of PATH, one
//! folder per major version, so those folders are searched as well, the newest version first.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where packages put a server's binaries; `*` stands for the part that names the version.
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
    /// As the server says it, without the vendor's addition: `15.18`.
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

    /// For the message of a search in vain.
    pub(super) fn searched() -> String {
        format!("PATH, {}", PACKAGE_FOLDERS.join(", "))
    }
}

/// The folders that fit a pattern with at most one `*`, the highest version first.
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

/// `@17` and `17` count as 17, `9.6` as 9; a folder without a number comes last.
fn number(version: &str) -> u32 {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

/// Asks the server itself, which shows too that it runs here; none where one binary is missing.
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
    fn a_versions_major_number_is_read_whatever_surrounds_it() {
        assert_eq!(["17", "@17", "9.6", ""].map(number), [17, 17, 9, 0]);
    }

    #[test]
    fn a_pattern_that_fits_nothing_gives_no_folder() {
        assert!(matching("/no/such/place-*/bin").is_empty());
    }
}
