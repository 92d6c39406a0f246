//! `marie-exporter serve`: both lanes and the HTTP server, until the process is told to end.

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
use crate::collect::collector::Lane;
use crate::collect::exporter::Exporter;
use crate::config::{Config, WebConfig};
use crate::http::reload::{self, Access};
use crate::http::server::places::Places;
use crate::http::server::{self, ListenError, Listener, Server};

/// How long requests and lanes may take to end; they are done much sooner.
const LONGEST_END: Duration = Duration::from_secs(10);

/// Serves until `shutdown` is cancelled; the database may come and go meanwhile. `hangups` are the process's SIGHUPs,
/// if they are not to end it.
///
/// # Errors
/// When the web configuration is no good, an address cannot be listened on, or a task ended that never should.
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
    // More than all scrapers of an exporter, and below the usual limit of open files, which is 1024.
    let places = Arc::new(Places::within(512, 2));
    let all = routes::all(Arc::clone(&exporter), Arc::clone(&places));
    let server = Arc::new(Server::new(all, routes::HEALTH_PATHS, access.subscribe(), places)?);
    for listener in listeners {
        info!(metrics = listener.url(scheme, &exporter.config.web.telemetry_path), "serving");
        tasks.spawn_on(server::serve(listener, Arc::clone(&server), shutdown.clone()), &http.handle);
    }
    if let Some(listener) = health {
        info!(health = listener.url("http", HEALTHY), "serving");
        let (routes, access) = (routes::health(Arc::clone(&exporter)), watch::Sender::new(Arc::default()));
        let places = Arc::new(Places::within(32, 8));
        let server = Arc::new(Server::new(routes, routes::HEALTH_PATHS, access.subscribe(), places)?);
        tasks.spawn_on(server::serve(listener, server, shutdown.clone()), &http.handle);
    }
    let (file, recorder) = (exporter.config.web.config_file.clone(), Arc::clone(&exporter));
    let record = move |is_success| recorder.self_metrics.set_web_config(is_success);
    let reload = reload::reload_on_change(file, access, hangups, shutdown.clone(), record);
    tasks.spawn_on(reload, &http.handle);
    // A server that sends without end keeps a lane's thread busy, for the driver does not yield while there is more to
    // read. Signals and requests must not wait in the queue of such a thread.
    let lanes = Threads::start(Lane::ALL.len(), "lane")?;
    for lane in Lane::ALL {
        tasks.spawn_on(Arc::clone(&exporter).run(lane, shutdown.clone()), &lanes.handle);
    }
    let all_end = async {
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task of the exporter has panicked, so it ends")?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = all_end => outcome,
        () = is_overdue(shutdown) => {
            warn!("a lane does not end, because the database keeps it busy; ending without it");
            Ok(())
        }
    }
}

/// Waits until the process should have ended.
async fn is_overdue(shutdown: CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(LONGEST_END).await;
}

/// Binds all addresses before anything is served: those for all routes, and the one for health.
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

/// Threads for a part of the exporter. Because the lanes' threads are apart from the server's, requests are answered
/// while a database floods a lane.
struct Threads {
    handle: Handle,
    /// Taken when it is dropped.
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
            // The other runtime's threads must not wait for it.
            runtime.shutdown_background();
        }
    }
}
