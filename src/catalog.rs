//! What both lanes know of the database and read again once a minute at least: its schema, by whichever lane finds it
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

/// Who wants numbers more often also wants to see a migration sooner: so many fast rounds at most.
const MAXIMUM_ROUNDS: u32 = 4;

#[derive(Debug, Default)]
pub struct Catalog(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    schema: Option<Arc<Schema>>,
    /// How long the schema is taken for true; none where it has proved wrong.
    good_until: Option<Instant>,
    census: Arc<QueueCensus>,
    next_census: Option<Instant>,
}

impl Known {
    fn good_schema(&self) -> Option<Arc<Schema>> {
        self.good_until.filter(|end| Instant::now() < *end).and(self.schema.clone())
    }
}

impl Catalog {
    /// The schema, read again inside the transaction of `run` where it is too old; the flag says whether it was.
    ///
    /// # Errors
    /// Any failure of the database.
    pub async fn schema(&self, run: &mut Run, config: &Config) -> Result<(Arc<Schema>, bool), Failure> {
        if let Some(schema) = self.lock().good_schema() {
            return Ok((schema, false));
        }
        let name = &config.database.schema;
        let read = run.queries(3, async |connection| Schema::read(connection, name).await).await;
        let mut known = self.lock();
        let schema = match read {
            Ok(schema) => Arc::new(schema),
            Err(failure) => {
                // A lock that somebody holds on one table may keep the catalog from being read. That must not
                // fail the collectors of all other tables, so they go on with what is known.
                known.good_until = known.good_until.map(|_| Instant::now() + maximum_age(config));
                return Err(failure);
            }
        };
        if known.schema.as_ref().is_none_or(|before| before.shape() != schema.shape()) {
            announce(name.as_str(), &schema);
        }
        known.schema = Some(Arc::clone(&schema));
        known.good_until = Some(Instant::now() + maximum_age(config));
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
            let pause = maximum_age(config).max(config.collectors.pause_after(began.elapsed()));
            let mut known = self.lock();
            known.next_census = Some(began + pause);
            if let Some(census) = census {
                known.census = Arc::new(census);
            }
        }
        Ok(Arc::clone(&self.lock().census))
    }

    /// The schema as it was last read, however long ago.
    pub fn last_schema(&self) -> Option<Arc<Schema>> {
        self.lock().schema.clone()
    }

    /// Has the next run read the schema again: it is not what we took it for.
    pub fn doubt_schema(&self) {
        self.lock().good_until = None;
    }

    /// Held to copy or to replace what is known, never across a query.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn maximum_age(config: &Config) -> Duration {
    MAXIMUM_AGE.min(config.collectors.interval.saturating_mul(MAXIMUM_ROUNDS))
}

fn announce(name: &str, schema: &Schema) {
    info!(schema = name, shape = schema.shape(), server = schema.server_version, "looked at the database");
    for state in schema.unknown_states() {
        warn!(state, "a job state that this exporter does not know: its jobs count as finished");
    }
}

/// In a savepoint, so that a time-out does not end the run.
async fn census(run: &mut Run, schema: &Schema) -> Result<Option<QueueCensus>, Failure> {
    run.queries(4, async |connection| {
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
