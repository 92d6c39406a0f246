//! Why the throwaway server cannot run, with messages that say what to do.

use std::io;
use std::path::{Path, PathBuf};

/// A failure to start or stop the server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(
        "no PostgreSQL server is installed: looked for `postgres` and `initdb` in {searched}.\n\
         Install one, then try again:\n  \
         Debian, Ubuntu: sudo apt-get install postgresql\n  \
         Fedora:         sudo dnf install postgresql-server\n  \
         macOS:          brew install postgresql@17"
    )]
    NotInstalled { searched: String },

    #[error(
        "PostgreSQL refuses to run as root, and this machine has none of the accounts that it \
         could run as instead ({}); run this as another user",
        super::account::NAMES.join(", ")
    )]
    NoAccount,

    #[error(
        "PostgreSQL refuses to run as root, and another account cannot work in {}, /tmp or \
         /var/tmp; run this as another user, or set TMPDIR to a folder with mode 1777",
        std::env::temp_dir().display()
    )]
    NoFolder,

    #[error("could not {action}: {reason}")]
    Io { action: String, reason: io::Error },

    #[error(
        "PostgreSQL {version} ({binaries}) did not start on 127.0.0.1:{port} in {folder}; \
         the end of its log:\n{log}"
    )]
    NotStarted { version: String, binaries: PathBuf, port: u16, folder: PathBuf, log: String },
}

/// Returns a function for `map_err` that names the action and the path.
pub(super) fn failed_to(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> ServerError {
    let action = format!("{verb} {}", path.display());
    move |reason| ServerError::Io { action, reason }
}
