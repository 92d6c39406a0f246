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
    let exporter = Arc::new(Exporter::new(config).context("a metric is declared wrongly")?);
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

/// Turns true when the process is told to end, by SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn shutdown_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (end, shutdown) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM: ending"),
            _ = interrupt.recv() => info!("SIGINT: ending"),
        }
        end.send_replace(true);
    });
    Ok(shutdown)
}

/// Waits until the process is told to end.
pub(crate) async fn ends(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever would tell us is gone, which ends us as well.
    let _ = shutdown.wait_for(|ends| *ends).await;
}
