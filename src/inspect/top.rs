//! `marie-exporter top`: queues, stuck and running jobs, and the day's throughput, live in the terminal. Fetching, drawing
//! and keys are apart; here they meet, and the terminal is put back as it was whatever ends them.

mod columns;
mod draw;
mod feed;
mod numbers;
pub(super) mod panes;
mod queues;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval};

use self::feed::Feed;
use self::numbers::Numbers;
use self::view::{View, Wish};
use crate::config::Config;
use crate::inspect::args::Times;
use tokio_util::sync::CancellationToken;

/// How often ages are drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// Shows the numbers until a key or a signal ends it.
///
/// # Errors
/// Where there is no terminal, or it cannot be drawn on. That the database is away is shown, and no error.
pub async fn top(config: Config, times: &Times, shutdown: CancellationToken) -> anyhow::Result<()> {
    anyhow::ensure!(
        std::io::stdout().is_terminal(),
        "top needs a terminal, and standard output is none; for scripts there are jobs, queues and stats"
    );
    let schema = config.database.schema.as_str().to_owned();
    let (wish, wishes) = mpsc::channel(1);
    let (send, mut numbers) = watch::channel(Numbers::default());
    let feed = tokio::spawn(Feed::new(config, times.timezone.clone()).run(wishes, send));
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
                changed.context("nobody fetches the numbers any more")?;
                None
            }
            event = events.recv() => Some(event.context("the terminal is gone")?),
            () = shutdown.cancelled() => break,
        };
        // All that has been typed meanwhile, before it is drawn: a key that is held down comes faster than pictures.
        let typed = first.into_iter().chain(std::iter::from_fn(|| events.try_recv().ok()));
        let wishes: Vec<Wish> = typed.filter_map(|event| view.take(&event)).collect();
        if wishes.contains(&Wish::Quit) {
            break;
        }
        if wishes.contains(&Wish::Refresh) {
            // One that waits already is as good as another.
            let _ = wish.try_send(());
        }
    }
    // The server notices that the connection is gone, and its own time-out bounds what still runs.
    feed.abort();
    Ok(())
}

/// The terminal in its own screen, until this is dropped; a panic puts it back too, before it says what it is.
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

/// Keys and changes of size, from a thread that ends with the process: nothing else can wait for a terminal.
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
