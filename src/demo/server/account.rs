//! The account that the server runs as.
//!
//! PostgreSQL refuses to run as root, and containers and CI machines usually run as root. Then the server gets an
//! unprivileged account, and a folder that this account can reach.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The accounts to try: that of PostgreSQL's packages, then the one that exists on each system.
pub(super) const NAMES: [&str; 2] = ["postgres", "nobody"];

#[derive(Clone, Copy)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Returns the first of these accounts that exists.
    pub(super) fn unprivileged() -> Option<Self> {
        NAMES.iter().find_map(|name| Some(Self { uid: id("-u", name)?, gid: id("-g", name)? }))
    }

    /// Makes the command run as this account, without the supplementary groups of this process.
    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}

/// Whether this process is root, by the owner of a folder that it created.
pub(super) fn is_root(own_folder: &TempDir) -> io::Result<bool> {
    Ok(fs::metadata(own_folder.path())?.uid() == 0)
}

/// Returns the temporary folders that each account may write to. A folder of root may be closed to the account.
pub(super) fn shared_temporary_folders() -> impl Iterator<Item = PathBuf> {
    [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
        .into_iter()
        .filter(|folder| is_open_to_all(folder))
}

fn is_open_to_all(folder: &Path) -> bool {
    const WRITE_AND_ENTER: u32 = 0o003;
    const ENTER: u32 = 0o001;
    let allows = |folder: &Path, bits| {
        fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & bits == bits)
    };
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    allows(&folder, WRITE_AND_ENTER) && folder.ancestors().all(|parent| allows(parent, ENTER))
}

/// Returns the id of a user or group. The program `id` also finds accounts that are not in /etc/passwd, as on macOS.
fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
