//! Values of a statement's parameters.

use std::time::Duration;

use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use crate::postgres::{Failure, Reason};

/// After how many seconds an active job is stuck: for some queues their own threshold, for all others one value.
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

    /// Binds three parameters: the queues, their thresholds, the threshold of all other queues.
    pub(super) fn bind_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        bind(arguments, &self.queues)?;
        bind(arguments, &self.seconds)?;
        bind(arguments, self.others)
    }
}

/// Binds the next parameter.
///
/// # Errors
/// If the value cannot be encoded, which no caller's type allows.
pub(super) fn bind<'q, T>(arguments: &mut PgArguments, value: T) -> Result<(), Failure>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    use sqlx::Arguments;
    arguments.add(value).map_err(|error| Failure::new(Reason::Other, error.to_string()))
}

/// Returns the arguments of a statement whose only parameter is the id of a job or DAG.
pub(super) fn id_arguments(id: Uuid) -> Result<PgArguments, Failure> {
    let mut arguments = PgArguments::default();
    bind(&mut arguments, id)?;
    Ok(arguments)
}
