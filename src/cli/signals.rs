//! Signals: SIGTERM and SIGINT cancel the token that all tasks watch. SIGHUP reloads the web configuration.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Returns a token that SIGTERM or SIGINT cancels. A second signal ends the process at once, with the exit code of a
/// process that the signal has killed.
pub fn shutdown_token() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let mut is_ending = false;
        loop {
            let (name, kind) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", SignalKind::terminate()),
                _ = interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
            };
            if is_ending {
                warn!("{name} again: ending the process at once");
                std::process::exit(128 + kind.as_raw_value());
            }
            info!("{name}: shutting down; a second signal ends the process at once");
            token.cancel();
            is_ending = true;
        }
    });
    Ok(shutdown)
}

/// Returns the process's SIGHUPs. After this call they no longer end the process.
pub fn hangups() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot listen for SIGHUP")
}
