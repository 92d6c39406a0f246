//! The exporter with the web configuration of a test.

use std::fs;
use std::path::{Path, PathBuf};

use once_cell::sync::Lazy;
use tempfile::TempDir;

use crate::support::process::{Process, command};
use crate::web::certificates::{Authority, Signed, replace};

pub(crate) const PASSWORD: &str = "hunter2 of marie";

/// Hash of [`PASSWORD`], with a low cost that keeps tests fast.
pub(crate) static HASH: Lazy<String> = Lazy::new(|| bcrypt::hash(PASSWORD, 4).unwrap());

/// TLS settings of most tests.
pub(crate) const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";

pub(crate) struct Exporter {
    pub(crate) process: Process,
    /// The authority that signed `server.crt` in the folder.
    pub(crate) authority: Authority,
    folder: TempDir,
}

/// Creates a folder with `server.crt` and `server.key`, the `ca.crt` of their authority, and `web.yml`.
pub(crate) fn folder(web: &str) -> (TempDir, Authority) {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.sign("127.0.0.1").write(folder.path(), "server");
    fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    fs::write(folder.path().join("web.yml"), web).unwrap();
    (folder, authority)
}

/// Returns the section of the web configuration for this user.
pub(crate) fn users(name: &str, hash: &str) -> String {
    format!("basic_auth_users: {{{name}: {hash}}}\n")
}

impl Exporter {
    pub(crate) fn serve(web: &str) -> Self {
        Self::serve_with(web, &[])
    }

    pub(crate) fn serve_with(web: &str, flags: &[&str]) -> Self {
        let (folder, authority) = folder(web);
        let file = folder.path().join("web.yml").display().to_string();
        let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--web.config.file", &file]);
        serve.args(["--database-url", "postgres://marie@127.0.0.1:1/none"]).args(flags);
        Exporter { process: Process::start(serve, 1), authority, folder }
    }

    /// Returns the address, such as `127.0.0.1:1234`.
    pub(crate) fn address(&self) -> &str {
        self.process.address().split_once("://").unwrap().1
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the contents of a file atomically.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        replace(&self.path(name), text);
    }

    pub(crate) fn renew(&self, signed: &Signed) {
        signed.write(self.folder.path(), "server");
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
