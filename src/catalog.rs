//! What both lanes know of the database and read again once a minute: its schema, by whichever lane finds it
//! too old, and the queues found in `job`, by the slow lane, for that can cost a pass over the history.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::collector::Lane;
use crate::config::Config;
use crate::database::{Failure, Run};
use crate::queues::QueueCensus;
use crate::schema::{Need, Schema};

/// Soon enough for a migration or a grant, and seldom enough to cost nothing.
const MAXIMUM_AGE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub struct Catalog(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    schema: Option<(Arc<Schema>, Instant)>,
    census: Arc<QueueCensus>,
    next_census: Option<Instant>,
}

impl Catalog {
    /// The schema, read again inside the transaction of `run` where it is too old; the flag says whether it was.
    ///
    /// # Errors
    /// Any failure of the database.
    pub async fn schema(&self, run: &mut Run, config: &Config) -> Result<(Arc<Schema>, bool), Failure> {
        let before = self.lock().schema.clone();
        if let Some((schema, read)) = &before
            && read.elapsed() < MAXIMUM_AGE
        {
            return Ok((Arc::clone(schema), false));
        }
        let name = &config.database.schema;
        let schema = run.query(async |connection| Schema::read(connection, name).await).await?;
        if before.is_none_or(|(before, _)| before.shape() != schema.shape()) {
            announce(name.as_str(), &schema);
        }
        let schema = Arc::new(schema);
        self.lock().schema = Some((Arc::clone(&schema), Instant::now()));
        Ok((schema, true))
    }

    /// The queues found in `job` as they are known; the slow lane takes the census anew where it is due.
    ///
    /// # Errors
    /// Any failure of the connection. That the census itself fails is no reason to have no numbers: the one
    /// before is kept.
    pub async fn census(
        &self,
        run: &mut Run,
        config: &Config,
        schema: &Schema,
        lane: Lane,
    ) -> Result<Arc<QueueCensus>, Failure> {
        let began = Instant::now();
        let is_due = self.lock().next_census.is_none_or(|due| due <= began);
        if lane == Lane::Slow && is_due && schema.lacks(&Need::Column("job", "name")).is_none() {
            let census = census(run, schema).await?;
            // Where no index leads with name every job was read; then it keeps to the budget like any collector.
            let pause = MAXIMUM_AGE.max(began.elapsed().div_f64(config.collectors.load_budget));
            let mut known = self.lock();
            known.next_census = Some(began + pause);
            if let Some(census) = census {
                known.census = Arc::new(census);
            }
        }
        Ok(Arc::clone(&self.lock().census))
    }

    /// Has the next run read the schema again: it is not what we took it for.
    pub fn forget_schema(&self) {
        self.lock().schema = None;
    }

    /// Held to copy or to replace what is known, never across a query.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn announce(name: &str, schema: &Schema) {
    info!(schema = name, shape = schema.shape(), server = schema.server_version, "looked at the database");
    for state in schema.unknown_states() {
        warn!(state, "a job state that this exporter does not know: its jobs count as finished");
    }
}

/// In a savepoint, so that a time-out does not end the run.
async fn census(run: &mut Run, schema: &Schema) -> Result<Option<QueueCensus>, Failure> {
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
