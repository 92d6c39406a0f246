//! The arguments of listings.

use std::time::Duration;

use sqlx::postgres::PgArguments;

use crate::postgres::{Failure, Reason};

/// The queues with a threshold of their own for stuck jobs, and that of all others, in seconds.
#[derive(Debug, Clone)]
pub(super) struct Thresholds {
    queues: Vec<String>,
    seconds: Vec<f64>,
    others: f64,
}

impl Thresholds {
    pub(super) fn new(others: Duration) -> Self {
        Thresholds { queues: Vec::new(), seconds: Vec::new(), others: others.as_secs_f64() }
    }

    pub(super) fn push(&mut self, queue: &str, threshold: Duration) {
        self.queues.push(queue.to_owned());
        self.seconds.push(threshold.as_secs_f64());
    }

    /// Adds three arguments: the queues, their thresholds, and that of all others.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub(super) fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, &self.queues)?;
        add(arguments, &self.seconds)?;
        add(arguments, self.others)
    }
}

/// Adds an argument; of these types none is ever refused.
///
/// # Errors
/// When it cannot be encoded.
pub(super) fn add<'q, T>(arguments: &mut PgArguments, value: T) -> Result<(), Failure>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    use sqlx::Arguments;
    arguments.add(value).map_err(|error| Failure::new(Reason::Other, error.to_string()))
}
