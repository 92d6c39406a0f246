//! The installed programs of the PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::postgres::programs;

pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    /// Version without the vendor's addition, such as `15.18`.
    pub(super) version: String,
}

impl Binaries {
    /// Returns the first binaries that run on this machine, or `None` if there are none.
    pub(super) fn find() -> Option<Self> {
        programs::folders().into_iter().find_map(|folder| Some(Self { version: version(&folder)?, folder }))
    }
}

/// Returns the version that `postgres --version` prints, which also shows that it runs here. `None` if a binary is missing.
fn version(folder: &Path) -> Option<String> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next().map(str::to_owned)
}
