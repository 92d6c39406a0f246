//! Finds the programs of PostgreSQL that are installed on this machine, such as `postgres` and `pg_dump`.
//!
//! Linux packages keep them outside of PATH, in one folder per major version, so those folders are searched too.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders in which packages install the programs; `*` stands for the text with the version.
const PACKAGE_FOLDERS: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/local/bin",
    "/usr/local/pgsql/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
];

/// Returns the absolute folders of PATH, then those of packages, of each pattern the newest version first.
#[cfg(feature = "demo")]
pub(crate) fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(PACKAGE_FOLDERS.iter().flat_map(|pattern| matching(pattern)).map(|(_, folder)| folder))
        .filter(|folder| folder.is_absolute())
        .collect()
}

/// Describes for an error message where [`folders`] has searched.
#[cfg(feature = "demo")]
pub(crate) fn searched() -> String {
    format!("PATH, {}", PACKAGE_FOLDERS.join(", "))
}

/// Returns the path of a program in its newest packaged version. Returns its bare name, for a search in PATH, if no
/// package has it.
pub fn newest(program: &str) -> PathBuf {
    let installed = PACKAGE_FOLDERS
        .iter()
        .filter(|pattern| pattern.contains('*'))
        .flat_map(|pattern| matching(pattern))
        .map(|(version, folder)| (version, folder.join(program)))
        .filter(|(_, path)| path.exists());
    installed.max_by_key(|(version, _)| *version).map_or_else(|| PathBuf::from(program), |(_, path)| path)
}

/// Returns the existing folders that match a pattern with at most one `*`, with their major versions, the newest first.
fn matching(pattern: &str) -> Vec<(u32, PathBuf)> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![(0, pattern.into())];
    };
    let Some((parent, prefix)) = before.rsplit_once('/') else {
        return Vec::new();
    };
    let names = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = names
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let folder = format!("{before}{version}{after}");
            Some((major_version(version), Path::new(&folder).to_owned()))
        })
        .collect();
    folders.sort_by_key(|(version, _)| Reverse(*version));
    folders
}

/// Returns the first number of a folder's name: 17 for `@17` and `17`, 9 for `9.6`, and 0 if it has none.
fn major_version(name: &str) -> u32 {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_ignores_surrounding_text() {
        assert_eq!(["17", "@17", "9.6", ""].map(major_version), [17, 17, 9, 0]);
    }

    #[test]
    fn pattern_without_match_gives_no_folder() {
        assert!(matching("/no/such/place-*/bin").is_empty());
    }

    #[test]
    fn program_without_package_keeps_its_name() {
        assert_eq!(newest("no-such-program"), Path::new("no-such-program"));
    }
}
