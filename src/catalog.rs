//! What both lanes know of the database, read again once a minute at least: its schema and the queues found in
//! `job`.
//! The lane that finds it too old reads it on its own connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::Config;
use crate::database::{Failure, Run};
use crate::queues::QueueCensus;
use crate::schema::Schema;

/// Soon enough for a migration or a grant, and seldom enough to cost nothing.
const MAXIMUM_AGE: Duration = Duration::from_mins(1);

/// Who wants numbers more often also wants to see a migration sooner: so many fast rounds at most.
const MAXIMUM_ROUNDS: u32 = 4;

#[derive(Debug, Clone)]
pub struct Known {
    pub schema: Arc<Schema>,
    pub census: Arc<QueueCensus>,
    /// Good until then; none where it has proved wrong.
    good_until: Option<Instant>,
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
        let known = self.lock().clone();
        if let Some(known) = &known
            && known.good_until.is_some_and(|end| Instant::now() < end)
        {
            return Ok((known.clone(), false));
        }
        match read(run, config, known).await {
            Ok(fresh) => {
                *self.lock() = Some(fresh.clone());
                Ok((fresh, true))
            }
            Err(failure) => {
                // A lock that somebody holds on one table may keep the catalog from being read. That must not
                // fail the collectors of all other tables, so they go on with what is known.
                if let Some(known) = self.lock().as_mut() {
                    known.good_until = known.good_until.map(|_| Instant::now() + maximum_age(config));
                }
                Err(failure)
            }
        }
    }

    /// Has the next run read the schema again, for it is not what we took it for. The queues' names keep to
    /// their own pace: finding them may mean to read every job.
    pub fn doubt(&self) {
        if let Some(known) = self.lock().as_mut() {
            known.good_until = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn maximum_age(config: &Config) -> Duration {
    MAXIMUM_AGE.min(config.collectors.interval.saturating_mul(MAXIMUM_ROUNDS))
}

async fn read(run: &mut Run, config: &Config, before: Option<Known>) -> Result<Known, Failure> {
    let name = &config.database.schema;
    let schema = run.queries(3, async |connection| Schema::read(connection, name).await).await?;
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
            let pause = maximum_age(config).max(config.collectors.pause_after(now.elapsed()));
            let known = before.map(|before| before.census).unwrap_or_default();
            (census?.map_or(known, Arc::new), now + pause)
        }
    };
    Ok(Known { schema: Arc::new(schema), census, good_until: Some(now + maximum_age(config)), next_census })
}

/// The census in a savepoint of its own: that the names cannot be had is no reason to have no numbers.
async fn census(run: &mut Run, schema: &Schema) -> Result<Option<QueueCensus>, Failure> {
    if schema.lacks(&crate::schema::Need::Column("job", "name")).is_some() {
        return Ok(None);
    }
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
