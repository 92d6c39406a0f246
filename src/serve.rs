//! `marie-exporter serve`: both lanes and the HTTP server, until the process is told to end.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::access::{self, Access};
use crate::collector::Lane;
use crate::config::{Config, WebConfig};
use crate::runner::Exporter;
use crate::server::{self, Front, ListenError, Listener};

/// Serves until `shutdown` turns true; the database may come and go meanwhile. `hangups` are the process's SIGHUPs,
/// if they are not to end it.
///
/// # Errors
/// When the web configuration is no good, an address cannot be listened on, or a task ended that never should.
pub async fn serve(
    config: Config,
    hangups: Option<Signal>,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let access = Access::load(config.web.config_file.as_deref())?;
    let scheme = if access.acceptor.is_some() { "https" } else { "http" };
    let access = watch::Sender::new(Arc::new(access));
    let http = HttpRuntime::start()?;
    let (listeners, health) = listen(&config.web, &http.handle)?;
    let exporter = Arc::new(Exporter::new(config)?);
    let mut tasks = JoinSet::new();
    let front = Arc::new(Front::new(Arc::clone(&exporter), access.subscribe())?);
    for listener in listeners {
        info!(metrics = listener.url(scheme, &exporter.config.web.telemetry_path), "serving");
        tasks.spawn_on(server::serve(listener, Arc::clone(&front), shutdown.clone()), &http.handle);
    }
    if let Some(listener) = health {
        info!(health = listener.url("http", server::HEALTHY), "serving");
        let front = Arc::new(Front::health(Arc::clone(&exporter))?);
        tasks.spawn_on(server::serve(listener, front, shutdown.clone()), &http.handle);
    }
    let follow = access::follow(Arc::clone(&exporter), access, hangups, shutdown.clone());
    tasks.spawn_on(follow, &http.handle);
    for lane in Lane::ALL {
        tasks.spawn(Arc::clone(&exporter).run(lane, shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task of the exporter has panicked, so it ends")?;
    }
    Ok(())
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

/// The server's thread. Because it is apart from the lanes' threads, requests are answered while a database floods a lane.
struct HttpRuntime {
    handle: Handle,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl HttpRuntime {
    fn start() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("http").enable_all().build();
        let runtime = runtime.context("cannot start the server's thread")?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for HttpRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The other runtime's threads must not wait for it.
            runtime.shutdown_background();
        }
    }
}
