//! How clients get in: the file of `--web.config.file` and the certificates that it names, read at start, and again
//! when one of them changes and on SIGHUP.
//!
//! Once a second their contents are compared, which no odd time or link can fool, and which costs microseconds.
//! What is no good leaves in force what was before, is logged as an error and told by a metric. To answer 500 instead,
//! as Prometheus's own exporters do, would blind whoever is on call for the sake of a slip, and whenever a new
//! certificate is there a moment before its key.

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

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a web configuration is not used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the web configuration cannot be used: {0}")]
pub struct AccessError(String);

/// How clients get in. Without a file all is open.
#[derive(Default)]
pub struct Access {
    sources: Arc<Sources>,
    /// `None` where connections are not encrypted.
    pub acceptor: Option<TlsAcceptor>,
}

/// The file and those that it names, as they were at one moment.
#[derive(PartialEq, Default)]
struct Sources {
    file: WebFile,
    tls: Option<tls::Files>,
}

impl Access {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// When one cannot be read, or something in it is wrong or not supported.
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

    /// What the file says.
    pub fn file(&self) -> &WebFile {
        &self.sources.file
    }

    /// What these files make of those in force, if nothing is wrong with them.
    fn renewed(&self, sources: Arc<Sources>, path: &Path) -> Result<Self, AccessError> {
        match self.file().lost_in(&sources.file) {
            // Half a file says so as well, for the moment in which it is written.
            Some(what) => Err(AccessError(format!(
                "{} asks for no {what} any more; if that is meant, restart marie-exporter",
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
    /// What this file asks of clients and the other does not.
    fn lost_in(&self, other: &WebFile) -> Option<&'static str> {
        let certificates = |file: &WebFile| {
            file.tls.as_ref().is_some_and(|tls| matches!(tls.clients, ClientCertificates::Required(_)))
        };
        if self.tls.is_some() && other.tls.is_none() {
            Some("TLS")
        } else if certificates(self) && !certificates(other) {
            Some("client certificate")
        } else if !self.users.is_empty() && other.users.is_empty() {
            Some("password")
        } else {
            None
        }
    }
}

/// Keeps `access` as the files say until `shutdown` is cancelled. `path` is the file of `--web.config.file`, `hangups` the
/// process's SIGHUPs if they are not to end it. Each reload calls `record` with its success.
pub async fn follow(
    path: Option<PathBuf>,
    access: watch::Sender<Arc<Access>>,
    mut hangups: Option<Signal>,
    shutdown: CancellationToken,
    record: impl Fn(bool),
) {
    let path = path.as_deref();
    let mut last = Ok(Arc::clone(&access.borrow().sources));
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = looks.tick(), if path.is_some() => false,
            () = hangup(&mut hangups) => true,
            () = shutdown.cancelled() => return,
        };
        let Some(path) = path else {
            info!("SIGHUP: there is no --web.config.file to read again");
            continue;
        };
        // A file may be on a disk that does not answer.
        let owned = path.to_owned();
        let read = tokio::select! {
            read = tokio::task::spawn_blocking(move || Sources::read(&owned)) => read,
            () = shutdown.cancelled() => return,
        };
        let read = read.unwrap_or_else(|error| Err(AccessError(error.to_string())));
        if read == last && !asked {
            continue;
        }
        let renewed = read.clone().and_then(|sources| access.borrow().renewed(sources, path));
        record(renewed.is_ok());
        match renewed {
            Ok(renewed) => {
                access.send_replace(Arc::new(renewed));
                info!(file = %path.display(), "the web configuration was read again");
            }
            Err(error) => error!(%error, "the one before stays in force"),
        }
        last = read;
    }
}

async fn hangup(hangups: &mut Option<Signal>) {
    let received = match hangups {
        Some(hangups) => hangups.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}
