//! `marie-exporter serve`: runs the collectors and the HTTP server until the process ends.
//!
//! [`routes`] answers requests from the exporter's snapshot. The collectors and the server have separate threads.

mod routes;
mod status_page;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub(crate) use self::routes::HEALTHY;
use crate::collect::exporter::Exporter;
use crate::config::{Config, WebConfig};
use crate::http::reload::{self, Access};
use crate::http::server::places::Places;
use crate::http::server::{self, ListenError, Listener, Server};

/// Time limit for requests and the runner to end after a signal. They usually end much sooner.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown` is cancelled, also while the database is unavailable. `hangups` are the process's SIGHUPs, if
/// they do not end it.
///
/// Fails if the web configuration is invalid, an address cannot be bound, or a task panics.
pub async fn serve(
    config: Config,
    hangups: Option<Signal>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let access = Access::load(config.web.config_file.as_deref())?;
    let scheme = if access.acceptor.is_some() { "https" } else { "http" };
    let access = watch::Sender::new(Arc::new(access));
    let http = Threads::start(1, "http")?;
    let (listeners, health) = listen(&config.web, &http.handle)?;
    let exporter = Arc::new(Exporter::new(config)?);
    let mut tasks = JoinSet::new();
    // More than an exporter has scrapers, and less than the usual limit of open files, 1024.
    let places = Arc::new(Places::within(512, 2));
    let all = routes::all_routes(Arc::clone(&exporter), Arc::clone(&places));
    let server = Arc::new(Server::new(all, routes::HEALTH_PATHS, access.subscribe(), places)?);
    for listener in listeners {
        info!(metrics = listener.url(scheme, &exporter.config.web.telemetry_path), "serving");
        tasks.spawn_on(server::serve(listener, Arc::clone(&server), shutdown.clone()), &http.handle);
    }
    if let Some(listener) = health {
        info!(health = listener.url("http", HEALTHY), "serving");
        let (routes, access) =
            (routes::health_routes(Arc::clone(&exporter)), watch::Sender::new(Arc::default()));
        let places = Arc::new(Places::within(32, 8));
        let server = Arc::new(Server::new(routes, routes::HEALTH_PATHS, access.subscribe(), places)?);
        tasks.spawn_on(server::serve(listener, server, shutdown.clone()), &http.handle);
    }
    let (file, recorder) = (exporter.config.web.config_file.clone(), Arc::clone(&exporter));
    let record = move |is_success| recorder.self_metrics.set_web_config(is_success);
    let reload = reload::reload_on_change(file, access, hangups, shutdown.clone(), record);
    tasks.spawn_on(reload, &http.handle);
    // A database server that sends without end occupies the runner's thread, because the driver does not yield while there is
    // more to read. So signals and requests need other threads.
    let runner = Threads::start(1, "runner")?;
    tasks.spawn_on(Arc::clone(&exporter).run(shutdown.clone()), &runner.handle);
    tasks.spawn_on(exporter.withdraw_expired(shutdown.clone()), &http.handle);
    let all_end = async {
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task of the exporter has panicked, so it ends")?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = all_end => outcome,
        () = is_overdue(shutdown) => {
            warn!("the runner does not end, because the database keeps it busy; ending without it");
            Ok(())
        }
    }
}

/// Waits until the time limit for the shutdown has passed.
async fn is_overdue(shutdown: CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
}

/// Binds the addresses of all routes, and the one for health, before any is served.
fn listen(web: &WebConfig, runtime: &Handle) -> Result<(Vec<Listener>, Option<Listener>), ListenError> {
    let _within = runtime.enter();
    let listeners = if web.systemd_socket {
        Listener::from_systemd()?
    } else {
        let bind = |address| Listener::bind(address, "web.listen-address");
        web.listen_addresses.iter().map(bind).collect::<Result<_, _>>()?
    };
    let health = web.health_address.as_ref().map(|address| Listener::bind(address, "web.health-address"));
    Ok((listeners, health.transpose()?))
}

/// Threads of one part of the exporter. Because runner and server have separate threads, requests are answered while a
/// database floods the runner.
struct Threads {
    handle: Handle,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    fn start(count: usize, name: &str) -> anyhow::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(count).thread_name(name).enable_all().build();
        let runtime = runtime.with_context(|| format!("cannot start the threads {name}"))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without it, the drop would block until all its tasks have ended.
            runtime.shutdown_background();
        }
    }
}
