//! `marie-exporter serve`: both lanes and the HTTP server, until the process is told to end.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::access::{self, Access};
use crate::collector::Lane;
use crate::config::Config;
use crate::runner::Exporter;
use crate::server::{self, Front};

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
    let listeners = server::listen(&config.web.listen_addresses)?;
    let exporter = Arc::new(Exporter::new(config)?);
    let mut tasks = JoinSet::new();
    let front = Arc::new(Front::new(Arc::clone(&exporter), access.subscribe())?);
    for listener in listeners {
        let address = listener.local_addr().context("the listening address cannot be read")?;
        info!(metrics = %format_args!("{scheme}://{address}{}", exporter.config.web.telemetry_path), "serving");
        tasks.spawn(server::serve(listener, Arc::clone(&front), shutdown.clone()));
    }
    tasks.spawn(access::follow(Arc::clone(&exporter), access, hangups, shutdown.clone()));
    for lane in Lane::ALL {
        tasks.spawn(Arc::clone(&exporter).run(lane, shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task of the exporter has panicked, so it ends")?;
    }
    Ok(())
}
