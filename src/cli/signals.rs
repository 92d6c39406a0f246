//! The signals: how the process is told to end, which is a flag that every task watches, and to read again.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

/// Turns true when the process is told to end, by SIGTERM or SIGINT. A second signal ends it at once, whatever it
/// waits for, with the exit status of a process that the signal has killed.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn signalled() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (end, shutdown) = watch::channel(false);
    tokio::spawn(async move {
        let mut is_ending = false;
        loop {
            let (name, kind) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", SignalKind::terminate()),
                _ = interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
            };
            if is_ending {
                warn!("{name} again: ending at once");
                std::process::exit(128 + kind.as_raw_value());
            }
            info!("{name}: ending; a second signal ends at once");
            end.send_replace(true);
            is_ending = true;
        }
    });
    Ok(shutdown)
}

/// SIGHUPs from now on, which end the process no more.
///
/// # Errors
/// When they cannot be listened for.
pub fn hangups() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot listen for SIGHUP")
}

/// Waits until the process is told to end.
pub(crate) async fn ends(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever would tell us is gone, which ends us as well.
    let _ = shutdown.wait_for(|ends| *ends).await;
}
