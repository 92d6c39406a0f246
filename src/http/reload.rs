//! Reads the file of `--web.config.file` and the files that it names: at start, when one of them changes, and on SIGHUP.
//!
//! Input: [`WebFile`] and [`tls::Files`]. Output: an [`Access`], which [`super::server`] takes for each connection.
//!
//! The contents are compared once a second, which costs microseconds. File times would miss changes behind links. If a
//! new version is invalid, the previous one stays in force, an error is logged and a metric is set. Prometheus's own
//! exporters answer 500 in that case. A typing error, or a certificate that is replaced before its key, would then stop
//! the monitoring.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::http::tls;
use crate::http::web_config::{ClientCertificates, WebFile};

const COMPARE_EVERY: Duration = Duration::from_secs(1);

/// Why a web configuration is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the web configuration cannot be used: {0}")]
pub struct AccessError(String);

/// The web configuration in force. The default one encrypts nothing and needs no login.
#[derive(Default)]
pub struct Access {
    sources: Arc<Sources>,
    /// `None` if connections are not encrypted.
    pub acceptor: Option<TlsAcceptor>,
}

/// The contents of the file and of those that it names, read at one time.
#[derive(PartialEq, Default)]
struct Sources {
    file: WebFile,
    tls: Option<tls::Files>,
}

impl Access {
    /// Reads the files for the first time. `path` is the value of `--web.config.file`.
    pub fn load(path: Option<&Path>) -> Result<Self, AccessError> {
        match path {
            None => Ok(Self::default()),
            Some(path) => Self::new(Sources::read(path)?, path),
        }
    }

    fn new(sources: Arc<Sources>, path: &Path) -> Result<Self, AccessError> {
        let acceptor = sources.file.tls.as_ref().zip(sources.tls.as_ref());
        let acceptor = acceptor.map(|(settings, files)| tls::acceptor(settings, files)).transpose();
        let acceptor = acceptor.map_err(|error| AccessError(format!("{}: {error}", path.display())))?;
        Ok(Self { sources, acceptor })
    }

    /// Returns the settings of the file.
    pub fn file(&self) -> &WebFile {
        &self.sources.file
    }

    /// Returns what replaces this configuration. Fails if the files are invalid, or no longer protect what this one does.
    fn renewed(&self, sources: Arc<Sources>, path: &Path) -> Result<Self, AccessError> {
        match self.file().protection_missing_in(&sources.file) {
            // A file that is being written looks like this for a moment, so it must not remove a protection.
            Some(what) => Err(AccessError(format!(
                "{} no longer requires {what}; if that is intended, restart marie-exporter",
                path.display()
            ))),
            None => Self::new(sources, path),
        }
    }
}

impl Sources {
    fn read(path: &Path) -> Result<Arc<Self>, AccessError> {
        let file = WebFile::read(path).map_err(|error| AccessError(error.to_string()))?;
        let tls = file.tls.as_ref().map(tls::Files::read).transpose();
        let tls = tls.map_err(|error| AccessError(format!("{}: {error}", path.display())))?;
        Ok(Arc::new(Self { file, tls }))
    }
}

impl WebFile {
    /// Returns a protection that this file requires and the other does not.
    fn protection_missing_in(&self, other: &WebFile) -> Option<&'static str> {
        let certificates = |file: &WebFile| {
            file.tls.as_ref().is_some_and(|tls| matches!(tls.clients, ClientCertificates::Required(_)))
        };
        if self.tls.is_some() && other.tls.is_none() {
            Some("TLS")
        } else if certificates(self) && !certificates(other) {
            Some("client certificates")
        } else if !self.users.is_empty() && other.users.is_empty() {
            Some("passwords")
        } else {
            None
        }
    }
}

/// Replaces `access` when the files change, until `shutdown` is cancelled.
///
/// `path` is the value of `--web.config.file`. `hangups` are the process's SIGHUPs, if they do not end it. Each reload
/// calls `record` with its success.
pub async fn reload_on_change(
    path: Option<PathBuf>,
    access: watch::Sender<Arc<Access>>,
    mut hangups: Option<Signal>,
    shutdown: CancellationToken,
    record: impl Fn(bool),
) {
    let path = path.as_deref();
    let mut last = Ok(Arc::clone(&access.borrow().sources));
    let mut ticks = tokio::time::interval(COMPARE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_requested = tokio::select! {
            _ = ticks.tick(), if path.is_some() => false,
            () = hangup(&mut hangups) => true,
            () = shutdown.cancelled() => return,
        };
        let Some(path) = path else {
            info!("SIGHUP ignored: --web.config.file is not set");
            continue;
        };
        // Off the async threads, because a network file system may not respond.
        let owned = path.to_owned();
        let read = tokio::select! {
            read = tokio::task::spawn_blocking(move || Sources::read(&owned)) => read,
            () = shutdown.cancelled() => return,
        };
        let read = read.unwrap_or_else(|error| Err(AccessError(error.to_string())));
        if read == last && !is_requested {
            continue;
        }
        let renewed = read.clone().and_then(|sources| access.borrow().renewed(sources, path));
        record(renewed.is_ok());
        match renewed {
            Ok(renewed) => {
                access.send_replace(Arc::new(renewed));
                info!(file = %path.display(), "web configuration reloaded");
            }
            Err(error) => error!(%error, "the previous web configuration stays in force"),
        }
        last = read;
    }
}

/// Waits for the next SIGHUP.
async fn hangup(hangups: &mut Option<Signal>) {
    let received = match hangups {
        Some(hangups) => hangups.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}
