//! Fetches the numbers that `top` shows, at a collector's cost: each part on the exporter's interval for its pace, never
//! oftener than the load budget allows, on one connection, in a read-only transaction that ends with the refresh.

use std::time::Duration;

use sqlx::Row;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::numbers::{Numbers, Shown};
use super::panes::Part;
use super::queues;
use crate::collect::collector::Lane;
use crate::collect::exporter::debt::Debt;
use crate::config::Config;
use crate::inspect::reader::{self, Reader, new_session};
use crate::inspect::scope::Scope;
use crate::postgres::{Failure, Reason, Session};
use crate::schema::Schema;

/// The first pause after the database was not reached; it doubles up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// As often as the exporter reads the catalog.
const SCHEMA_AGE: Duration = Duration::from_mins(1);

/// When a part is asked for.
#[derive(Clone, Copy)]
struct Turn {
    due: Instant,
    /// Not before this, whoever asks.
    earliest: Instant,
    debt: Debt,
}

pub(super) struct Feed {
    config: Config,
    timezone: String,
    numbers: Numbers,
    turns: [Turn; Part::ALL.len()],
    session: Session,
    schema: Option<(Schema, Instant)>,
    /// Attempts to reach the database that failed in a row.
    misses: u32,
}

impl Feed {
    pub(super) fn new(config: Config, timezone: String) -> Self {
        let now = Instant::now();
        let session = new_session(&config);
        let turns = [Turn { due: now, earliest: now, debt: Debt::default() }; Part::ALL.len()];
        Feed { config, timezone, numbers: Numbers::default(), turns, session, schema: None, misses: 0 }
    }

    /// Refreshes what is due until nobody looks any more. A wish brings forward what the budget allows.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<()>, shown: watch::Sender<Numbers>) {
        loop {
            let next = self.turns.iter().map(|turn| turn.due).min().unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(next) => {}
                wish = wishes.recv() => match wish {
                    Some(()) => self.bring_forward(),
                    None => return,
                },
            }
            let now = Instant::now();
            let due: Vec<Part> =
                Part::ALL.into_iter().filter(|part| self.turns[*part as usize].due <= now).collect();
            if due.is_empty() {
                continue;
            }
            match self.refresh(&due).await {
                Ok(()) => {
                    self.misses = 0;
                    self.numbers.trouble = None;
                }
                Err(failure) => self.back_off(&failure),
            }
            if shown.send(self.numbers.clone()).is_err() {
                return;
            }
        }
    }

    fn bring_forward(&mut self) {
        let now = Instant::now();
        for turn in self.turns.iter_mut().filter(|turn| turn.earliest <= now) {
            turn.due = now;
        }
    }

    async fn refresh(&mut self, due: &[Part]) -> Result<(), Failure> {
        // A failure loses it, and its connection, which is in doubt then.
        let session = std::mem::replace(&mut self.session, new_session(&self.config));
        let config = self.config.clone();
        let known = self.schema.take().filter(|(_, read)| read.elapsed() < SCHEMA_AGE);
        let read = known.as_ref().map_or_else(Instant::now, |(_, read)| *read);
        let timezone = self.timezone.clone();
        let known = known.map(|(schema, _)| schema);
        let mut reader = Reader::begin(&config, session, known, &timezone, Scope::AllJobs).await?;
        let row = reader.run().await?.fetch_one(sqlx::query(include_str!("instant.sql"))).await?;
        self.numbers.database = row.try_get("database")?;
        self.numbers.instant = row.try_get("instant")?;
        for &part in due {
            self.ask(part, &mut reader).await?;
        }
        let (session, schema) = reader.end().await;
        self.session = session;
        self.schema = Some((schema, read));
        self.numbers.refreshed = Some(Instant::now());
        Ok(())
    }

    async fn ask(&mut self, part: Part, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let before = reader.busy();
        let asked = part.read(reader).await?;
        let cost = reader.busy().saturating_sub(before);
        let collectors = &self.config.collectors;
        let mut pause = collectors.pause_after(cost);
        let now = Instant::now();
        let shown = &mut self.numbers.parts[part as usize];
        let turn = &mut self.turns[part as usize];
        match asked {
            reader::Part::Rows(rows) => match queues::check(part, &rows.rows) {
                Ok(()) => *shown = Shown { rows: rows.rows, taken: Some(now), failure: None },
                Err(why) => shown.failure = Some(why),
            },
            reader::Part::NotHere => {
                let lack = part.listing().query.lack(&reader.schema);
                shown.failure = lack.map(|lack| format!("this database has {lack}"));
            }
            reader::Part::Failed(why) => {
                if shown.failure.replace(why).is_none() && turn.debt.puts_off(pause) {
                    pause = Duration::ZERO;
                }
            }
        }
        let interval = match part.listing().query.lane(&reader.schema) {
            Lane::Fast => collectors.interval,
            Lane::Slow => collectors.slow_interval,
        };
        if shown.failure.is_none() {
            pause += turn.debt.pay(interval.max(pause));
        }
        turn.due = now + interval.max(pause);
        turn.earliest = now + pause;
        Ok(())
    }

    /// The database is away, or cannot be asked: everything that is due waits.
    fn back_off(&mut self, failure: &Failure) {
        let interval = self.config.collectors.interval;
        let pause = match failure.reason {
            Reason::Unavailable => {
                FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.misses)).min(interval)
            }
            _ => interval,
        };
        self.misses = self.misses.saturating_add(1);
        let now = Instant::now();
        let again = now + pause;
        for turn in &mut self.turns {
            turn.due = turn.due.max(again);
            // A key must not bring the next attempt forward.
            turn.earliest = turn.earliest.max(again);
        }
        self.numbers.trouble = Some((failure.message.clone(), again));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;
    use crate::cli::{self, Command};

    #[tokio::test]
    async fn key_held_while_database_is_away_reconnects_no_faster() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://marie@{}/marie", listener.local_addr().unwrap());
        let attempts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&attempts);
        tokio::spawn(async move {
            while let Ok(connection) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                drop(connection);
            }
        });
        let arguments = ["marie-exporter", "top", "--database-url", &url];
        let Ok(Command::Top(config, times)) = cli::parse(arguments.map(Into::into), |_| None, &[]) else {
            panic!("top was asked for");
        };
        let (wish, wishes) = mpsc::channel(1);
        let (send, mut numbers) = watch::channel(Numbers::default());
        let feed = tokio::spawn(Feed::new(config, times.timezone).run(wishes, send));
        numbers.changed().await.unwrap();
        let first = attempts.load(Ordering::Relaxed);
        assert!(numbers.borrow().trouble.is_some());
        for _ in 0..50 {
            let _ = wish.try_send(());
            sleep(Duration::from_millis(10)).await;
        }
        // The next attempt is due a second after the first one; on a slow machine that has passed.
        let more = attempts.load(Ordering::Relaxed) - first;
        assert!(more <= first, "{more} more attempts after {first}");
        feed.abort();
    }
}
