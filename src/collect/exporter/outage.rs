//! A time in which a lane does not reach the database: what of it the log tells, and how long it lasted.

use std::time::Duration;

use tokio::time::Instant;

/// How many different errors of one outage are logged as a warning.
const MOST_TOLD: usize = 5;

pub(super) struct Outage {
    began: Instant,
    told: Vec<String>,
}

impl Outage {
    pub(super) fn begin() -> Self {
        Outage { began: Instant::now(), told: Vec::new() }
    }

    /// Notes an error; returns whether it is new. "Connection refused" can turn into "the password is wrong".
    pub(super) fn note_error(&mut self, message: &str) -> bool {
        let is_new = self.told.len() < MOST_TOLD && !self.told.iter().any(|told| told == message);
        if is_new {
            self.told.push(message.to_owned());
        }
        is_new
    }

    pub(super) fn lasted(&self) -> Duration {
        in_seconds(self.began.elapsed())
    }
}

/// A duration without its fractions of a second, for people.
pub(super) fn in_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
