//! `marie-exporter top`: queues, stuck and running jobs, and the throughput of the last day, live in the terminal.
//!
//! `feed` fetches the numbers by the `queries`, `draw` draws them, and `view` handles keys. This file runs all three, and
//! restores the terminal when `top` ends or panics.

mod columns;
mod draw;
mod feed;
mod numbers;
mod queries;
mod queues;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use self::feed::Feed;
use self::numbers::Numbers;
pub(super) use self::queries::QUERIES;
use self::view::{Request, View};
use crate::config::Config;
use crate::inspect::options::Times;

/// How often ages are redrawn.
const TICK: Duration = Duration::from_secs(1);

/// Shows the numbers until a key or `shutdown` ends it.
///
/// # Errors
/// If standard output is no terminal or cannot be drawn on. A failure of the database is shown, and is no error.
pub async fn top(config: Config, times: &Times, shutdown: CancellationToken) -> anyhow::Result<()> {
    anyhow::ensure!(
        std::io::stdout().is_terminal(),
        "top needs a terminal, and standard output is none; in scripts use jobs, queues and stats"
    );
    let schema = config.database.schema.as_str().to_owned();
    let (refresh, refreshes) = mpsc::channel(1);
    let (send, mut numbers) = watch::channel(Numbers::default());
    let feed = tokio::spawn(Feed::new(config, times.timezone.clone()).run(refreshes, send));
    let mut screen = Screen::open()?;
    let mut events = events();
    let mut view = View::new();
    let mut tick = interval(TICK);
    loop {
        let shown = numbers.borrow_and_update().clone();
        screen
            .0
            .draw(|frame| draw::draw(frame, &shown, &schema, &mut view, Instant::now()))
            .context("cannot draw on the terminal")?;
        let first = tokio::select! {
            _ = tick.tick() => None,
            changed = numbers.changed() => {
                changed.context("the task that fetches the numbers has ended")?;
                None
            }
            event = events.recv() => Some(event.context("cannot read from the terminal any more")?),
            () = shutdown.cancelled() => break,
        };
        // A key that is held down repeats faster than pictures are drawn, so all waiting keys are handled at once.
        let typed = first.into_iter().chain(std::iter::from_fn(|| events.try_recv().ok()));
        let requests: Vec<Request> = typed.filter_map(|event| view.handle(&event)).collect();
        if requests.contains(&Request::Quit) {
            break;
        }
        if requests.contains(&Request::Refresh) {
            // An error means that a refresh is already pending.
            let _ = refresh.try_send(());
        }
    }
    // The connection closes with the task. A statement that still runs ends by the server's time-out at the latest.
    feed.abort();
    Ok(())
}

/// The terminal's alternate screen. Dropping it restores the terminal; so does a panic, before its message is printed.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> anyhow::Result<Self> {
        Ok(Screen(ratatui::try_init().context("cannot set up the terminal")?))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Returns keys and changes of size. A thread reads them, because reading blocks; it ends with the process.
fn events() -> mpsc::Receiver<Event> {
    let (send, events) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if send.blocking_send(event).is_err() {
                break;
            }
        }
    });
    events
}
