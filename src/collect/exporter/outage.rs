//! A period in which the runner cannot reach the database: how long it lasted, and which of its errors are logged.

use std::time::Duration;

use tokio::time::Instant;

/// Different errors of one outage that are logged as warnings, at most.
const MAX_LOGGED: usize = 5;

pub(super) struct Outage {
    began: Instant,
    logged: Vec<String>,
}

impl Outage {
    pub(super) fn begin() -> Self {
        Outage { began: Instant::now(), logged: Vec::new() }
    }

    /// Notes an error and returns whether it is new.
    ///
    /// Because "connection refused" can turn into "wrong password", each different error deserves a warning.
    pub(super) fn note_error(&mut self, message: &str) -> bool {
        let is_new = self.logged.len() < MAX_LOGGED && !self.logged.iter().any(|logged| logged == message);
        if is_new {
            self.logged.push(message.to_owned());
        }
        is_new
    }

    pub(super) fn lasted(&self) -> Duration {
        in_seconds(self.began.elapsed())
    }
}

/// Returns a duration in whole seconds, for log lines.
pub(super) fn in_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
