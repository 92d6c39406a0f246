//! Fetches the numbers that `top` shows, on one connection, in read-only transactions.
//!
//! Each query runs at the interval that its pace has in the exporter, as far as the load budget allows. It is a budget of
//! its own, beside that of an exporter.
//! `top` receives the [`Numbers`] and sends a message when the user asks for newer ones.

use std::time::Duration;

use sqlx::Row;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::numbers::Numbers;
use super::queries::TopQuery;
use crate::collect::budget::{Budget, LONGEST_STATEMENT};
use crate::collect::pace::Pace;
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
    /// When each query is due.
    due: [Instant; TopQuery::ALL.len()],
    /// No query runs before this time, because the database was not reached.
    not_before: Instant,
    budget: Budget,
    session: Session,
    schema: Option<(Schema, Instant)>,
    /// How many attempts to reach the database have failed in a row.
    failed_attempts: u32,
}

impl Feed {
    pub(super) fn new(config: Config, timezone: String) -> Self {
        let session = new_session(&config, timeout(&config));
        let now = Instant::now();
        Feed {
            timezone,
            numbers: Numbers::default(),
            due: [now; TopQuery::ALL.len()],
            not_before: now,
            budget: Budget::new(config.collectors.load_budget, now),
            session,
            schema: None,
            failed_attempts: 0,
            config,
        }
    }

    /// Runs the queries that are due and sends the numbers, until the receiver is dropped. A message in `refreshes` brings
    /// forward the queries that the load budget allows.
    pub(super) async fn run(mut self, mut refreshes: mpsc::Receiver<()>, sender: watch::Sender<Numbers>) {
        loop {
            let now = Instant::now();
            let next = TopQuery::ALL.into_iter().map(|query| self.may_run(query, now)).min();
            tokio::select! {
                () = sleep_until(next.unwrap_or_else(Instant::now)) => {}
                refresh = refreshes.recv() => match refresh {
                    Some(()) => self.due = [Instant::now(); TopQuery::ALL.len()],
                    None => return,
                },
            }
            let now = Instant::now();
            let due: Vec<TopQuery> =
                TopQuery::ALL.into_iter().filter(|query| self.may_run(*query, now) <= now).collect();
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

    /// Returns when a query may run: when it is due and the load budget allows it.
    fn may_run(&mut self, query: TopQuery, now: Instant) -> Instant {
        let allowed = now.checked_add(self.budget.wait(query.listing().query.pace, now));
        self.due[query as usize].max(self.not_before).max(allowed.unwrap_or(now))
    }

    async fn run_queries(&mut self, queries: &[TopQuery]) -> Result<(), Failure> {
        // A failure drops the session, because its connection may be broken.
        let session = std::mem::replace(&mut self.session, new_session(&self.config, timeout(&self.config)));
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
        let query_pace = query.listing().query.pace;
        self.budget.charge(query_pace, cost, Instant::now());
        match fetched {
            Fetched::Rows(rows) => self.numbers.store(query, &rows),
            Fetched::Missing => {
                let lack = query.listing().query.lack(&reader.schema);
                self.numbers.status(query).failure = lack.map(|lack| format!("this database has {lack}"));
            }
            Fetched::Failed(why) => self.numbers.status(query).failure = Some(why),
        }
        let collectors = &self.config.collectors;
        let reads_history = query_pace == Pace::History && !query.listing().query.is_indexed(&reader.schema);
        let interval = if reads_history { collectors.slow_interval } else { collectors.interval };
        self.due[query as usize] = Instant::now() + interval;
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
        self.not_before = Instant::now() + pause;
        self.numbers.trouble = Some((failure.message.clone(), self.not_before));
    }
}

/// Because `top` runs all the time, its statements are as short as those of `serve`.
fn timeout(config: &Config) -> Duration {
    config.collectors.timeout.min(LONGEST_STATEMENT)
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
