//! `marie-exporter serve`: both lanes and the HTTP server, until the process is told to end.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::collector::Lane;
use crate::config::Config;
use crate::runner::Exporter;
use crate::server;

/// Serves until `shutdown` turns true; the database may come and go meanwhile.
///
/// # Errors
/// When an address cannot be listened on, or a task ended that never should.
pub async fn serve(config: Config, shutdown: watch::Receiver<bool>) -> anyhow::Result<()> {
    let listeners = server::listen(&config.web.listen_addresses).await?;
    let exporter = Arc::new(Exporter::new(config)?);
    let mut tasks = JoinSet::new();
    let room = server::room();
    for listener in listeners {
        let address = listener.local_addr().context("the listening address cannot be read")?;
        info!(metrics = %format_args!("http://{address}{}", exporter.config.web.telemetry_path), "serving");
        tasks.spawn(server::serve(listener, Arc::clone(&room), Arc::clone(&exporter), shutdown.clone()));
    }
    for lane in Lane::ALL {
        tasks.spawn(Arc::clone(&exporter).run(lane, shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task of the exporter has panicked, so it ends")?;
    }
    Ok(())
}
