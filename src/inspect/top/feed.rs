//! Fetches the numbers that `top` shows, on one connection, in read-only transactions.
//!
//! Each query runs at the interval that its lane has in the exporter, and never more often than the load budget allows.
//! `top` receives the [`Numbers`] and sends a message when the user asks for newer ones.

use std::time::Duration;

use sqlx::Row;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::numbers::Numbers;
use super::queries::TopQuery;
use crate::collect::collector::Lane;
use crate::collect::exporter::schedule::Schedule;
use crate::config::Config;
use crate::inspect::reader::{Fetched, Reader, new_session};
use crate::inspect::scope::Scope;
use crate::postgres::{Failure, Reason, Session};
use crate::schema::Schema;

/// The pause after the first failed connect. It doubles with each further one, up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The age at which the schema is read again, as in the exporter.
const SCHEMA_AGE: Duration = Duration::from_mins(1);

pub(super) struct Feed {
    config: Config,
    timezone: String,
    numbers: Numbers,
    schedules: [Schedule; TopQuery::ALL.len()],
    session: Session,
    schema: Option<(Schema, Instant)>,
    /// How many attempts to reach the database have failed in a row.
    failed_attempts: u32,
}

impl Feed {
    pub(super) fn new(config: Config, timezone: String) -> Self {
        let session = new_session(&config);
        let schedules = [Schedule::new(Instant::now(), config.collectors.interval); TopQuery::ALL.len()];
        let numbers = Numbers::default();
        Feed { config, timezone, numbers, schedules, session, schema: None, failed_attempts: 0 }
    }

    /// Runs the queries that are due and sends the numbers, until the receiver is dropped. A message in `refreshes` brings
    /// forward the queries that the load budget allows.
    pub(super) async fn run(mut self, mut refreshes: mpsc::Receiver<()>, sender: watch::Sender<Numbers>) {
        loop {
            let next = self.schedules.iter().map(|schedule| schedule.due).min().unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(next) => {}
                refresh = refreshes.recv() => match refresh {
                    Some(()) => self.schedules.iter_mut().for_each(Schedule::request),
                    None => return,
                },
            }
            let now = Instant::now();
            let is_due = |query: &TopQuery| self.schedules[*query as usize].due <= now;
            let due: Vec<TopQuery> = TopQuery::ALL.into_iter().filter(is_due).collect();
            if due.is_empty() {
                continue;
            }
            match self.run_queries(&due).await {
                Ok(()) => {
                    self.failed_attempts = 0;
                    self.numbers.trouble = None;
                }
                Err(failure) => self.back_off(&failure),
            }
            if sender.send(self.numbers.clone()).is_err() {
                return;
            }
        }
    }

    async fn run_queries(&mut self, queries: &[TopQuery]) -> Result<(), Failure> {
        // A failure drops the session, because its connection may be broken.
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
        for &query in queries {
            self.run_query(query, &mut reader).await?;
        }
        let (session, schema) = reader.end().await;
        self.session = session;
        self.schema = Some((schema, read));
        self.numbers.refreshed = Some(Instant::now());
        Ok(())
    }

    async fn run_query(&mut self, query: TopQuery, reader: &mut Reader<'_>) -> Result<(), Failure> {
        let before = reader.busy();
        let fetched = query.fetch(reader).await?;
        let cost = reader.busy().saturating_sub(before);
        let collectors = &self.config.collectors;
        let mut required = Some(collectors.pause_after(cost));
        let schedule = &mut self.schedules[query as usize];
        match fetched {
            Fetched::Rows(rows) => self.numbers.store(query, &rows),
            Fetched::Missing => {
                let lack = query.listing().query.lack(&reader.schema);
                self.numbers.status(query).failure = lack.map(|lack| format!("this database has {lack}"));
            }
            Fetched::Failed(why) => {
                let is_first = self.numbers.status(query).failure.replace(why).is_none();
                required = required.filter(|pause| !(is_first && schedule.defer(*pause)));
            }
        }
        let interval = match query.listing().query.lane(&reader.schema) {
            Lane::Fast => collectors.interval,
            Lane::Slow => collectors.slow_interval,
        };
        schedule.set_next(required, interval, None);
        Ok(())
    }

    /// Delays all queries after the database could not be reached or the schema not be read.
    fn back_off(&mut self, failure: &Failure) {
        let interval = self.config.collectors.interval;
        let pause = match failure.reason {
            Reason::Unavailable => {
                FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failed_attempts)).min(interval)
            }
            _ => interval,
        };
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        let next = Instant::now() + pause;
        for schedule in &mut self.schedules {
            schedule.back_off(next);
        }
        self.numbers.trouble = Some((failure.message.clone(), next));
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
    async fn held_key_while_database_is_away_reconnects_no_faster() {
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
            panic!("not the command top");
        };
        let (refresh, refreshes) = mpsc::channel(1);
        let (send, mut numbers) = watch::channel(Numbers::default());
        let feed = tokio::spawn(Feed::new(config, times.timezone).run(refreshes, send));
        numbers.changed().await.unwrap();
        let first = attempts.load(Ordering::Relaxed);
        assert!(numbers.borrow().trouble.is_some());
        for _ in 0..50 {
            let _ = refresh.try_send(());
            sleep(Duration::from_millis(10)).await;
        }
        // On a slow machine the next attempt, a second after the first one, is made in the meantime.
        let more = attempts.load(Ordering::Relaxed) - first;
        assert!(more <= first, "{more} more attempts after {first}");
        feed.abort();
    }
}
