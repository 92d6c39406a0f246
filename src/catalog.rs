//! What both lanes know of the database, read again once a minute: its schema and the queues found in `job`.
//! The lane that finds it too old reads it on its own connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::Config;
use crate::database::{Failure, Run};
use crate::queues::QueueCensus;
use crate::schema::Schema;

/// Soon enough for a migration or a grant, and seldom enough to cost nothing.
const MAXIMUM_AGE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub struct Known {
    pub schema: Arc<Schema>,
    pub census: Arc<QueueCensus>,
    read: Instant,
    next_census: Instant,
}

#[derive(Debug, Default)]
pub struct Catalog(Mutex<Option<Known>>);

impl Catalog {
    /// What is known, read again inside the transaction of `run` where it is too old; the flag says whether
    /// it was.
    ///
    /// # Errors
    /// Any failure of the database.
    pub async fn get(&self, run: &mut Run, config: &Config) -> Result<(Known, bool), Failure> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = &known
            && known.read.elapsed() < MAXIMUM_AGE
        {
            return Ok((known.clone(), false));
        }
        let fresh = read(run, config, known).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
        Ok((fresh, true))
    }

    /// Has the next run read everything again: the schema is not what we took it for.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn read(run: &mut Run, config: &Config, before: Option<Known>) -> Result<Known, Failure> {
    let name = &config.database.schema;
    let schema = run.query(async |connection| Schema::read(connection, name).await).await?;
    if before.as_ref().is_none_or(|before| before.schema.shape() != schema.shape()) {
        info!(
            schema = name.as_str(),
            shape = schema.shape(),
            server = schema.server_version,
            "looked at the database"
        );
        for state in schema.unknown_states() {
            warn!(state, "a job state that this exporter does not know: its jobs count as finished");
        }
    }
    let now = Instant::now();
    let (census, next_census) = match before {
        Some(before) if now < before.next_census => (before.census, before.next_census),
        before => {
            let census = census(run, &schema).await;
            // Where no index leads with name this reads every job, and then it keeps to the budget like
            // any collector.
            let pause = MAXIMUM_AGE.max(now.elapsed().div_f64(config.collectors.load_budget));
            let known = before.map(|before| before.census).unwrap_or_default();
            (census?.map_or(known, Arc::new), now + pause)
        }
    };
    Ok(Known { schema: Arc::new(schema), census, read: now, next_census })
}

/// The census in a savepoint of its own: that the names cannot be had is no reason to have no numbers.
async fn census(run: &mut Run, schema: &Schema) -> Result<Option<QueueCensus>, Failure> {
    if schema.lacks(&crate::schema::Need::Column("job", "name")).is_some() {
        return Ok(None);
    }
    run.query(async |connection| {
        sqlx::raw_sql("SAVEPOINT census").execute(&mut *connection).await?;
        match QueueCensus::read(connection, schema).await {
            Ok(census) => Ok(Some(census)),
            Err(error @ sqlx::Error::Database(_)) => {
                warn!(error = %Failure::from(error), "the names of the queues in job could not be read");
                sqlx::raw_sql("ROLLBACK TO SAVEPOINT census").execute(connection).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    })
    .await
}
