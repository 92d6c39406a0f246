//! A simulated scheduler with its workers. It writes DAGs of dependent jobs into tables of the shape `new`, in the same
//! steps as Marie.
//!
//! Each step is one statement over all jobs, in `simulator/*.sql`. The statements draw at random what happens to a job, so
//! the tables hold all state.

use std::time::Duration;

use sqlx::types::Uuid;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const STEP: Duration = Duration::from_millis(250);
const RECOVERY_INTERVAL: Duration = Duration::from_secs(15);
const RECONNECT_DELAY: Duration = Duration::from_secs(1);
/// The longest time that one step makes up for after a pause of this machine or of the database.
const LONGEST_STEP_SECONDS: f64 = 2.0;
/// The average of `blueprint` in session.sql.
const NODES_PER_DAG: f64 = 7.5;
/// Above this backlog, in seconds of work, no more jobs are submitted.
const BACKLOG_SECONDS: f64 = 180.0;
/// About how many unfinished jobs of the past day stay for ever.
const LEFTOVERS: i64 = 1500;

/// How a queue's jobs behave.
struct Queue {
    name: &'static str,
    /// Share of all DAGs.
    share: f64,
    mean_run_seconds: f64,
    failing_share: f64,
    /// 0 if jobs do not expire, as those of Marie's gateway.
    expire_minutes: i32,
}

const QUEUES: [Queue; 5] = [
    Queue { name: "extract", share: 0.35, mean_run_seconds: 4.0, failing_share: 0.06, expire_minutes: 15 },
    Queue { name: "classify", share: 0.25, mean_run_seconds: 1.5, failing_share: 0.03, expire_minutes: 0 },
    Queue { name: "transform", share: 0.2, mean_run_seconds: 6.0, failing_share: 0.08, expire_minutes: 0 },
    Queue { name: "load", share: 0.1, mean_run_seconds: 3.0, failing_share: 0.12, expire_minutes: 5 },
    Queue {
        name: "gen5_extract",
        share: 0.1,
        mean_run_seconds: 12.0,
        failing_share: 0.05,
        expire_minutes: 0,
    },
];

/// The simulated scheduler. It connects when it writes, and reconnects after an outage.
pub struct Simulator {
    url: String,
    schema: String,
    rate: f64,
    connection: Option<PgConnection>,
    /// The fraction of a DAG that previous steps have not submitted.
    owed_dags: f64,
}

impl Simulator {
    /// Returns a scheduler for a schema of [`Shape::New`](super::shape::Shape). It finishes about `rate` jobs a second.
    pub fn new(url: &str, schema: &str, rate: f64) -> Self {
        Self {
            url: url.to_owned(),
            schema: schema.to_owned(),
            rate: rate.max(0.0),
            connection: None,
            owed_dags: 0.0,
        }
    }

    /// Writes a day of past jobs, with their history, into empty tables. Takes some seconds.
    pub async fn past_day(&mut self) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection().await?.begin().await?;
        sqlx::raw_sql(include_str!("simulator/past.sql")).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Runs until `shutdown` is ready. After an outage of the database it logs the error and retries.
    pub async fn run(&mut self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.work() => {}
        }
        // A statement may have been interrupted, so the session cannot be used again.
        self.connection = None;
    }

    async fn work(&mut self) {
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stepped_at = Instant::now();
        let mut recovered_at = None;
        loop {
            ticks.tick().await;
            let seconds = stepped_at.elapsed().as_secs_f64().min(LONGEST_STEP_SECONDS);
            stepped_at = Instant::now();
            let mut result = self.step(seconds).await;
            if result.is_ok() && recovered_at.is_none_or(|at: Instant| at.elapsed() >= RECOVERY_INTERVAL) {
                recovered_at = Some(stepped_at);
                result = self.maintain().await;
            }
            if let Err(error) = result {
                tracing::warn!(%error, "the simulated scheduler cannot write to its database; it retries");
                self.connection = None;
                sleep(RECONNECT_DELAY).await;
            }
        }
    }

    /// Does what Marie's loop does several times a second. Each statement is a transaction.
    async fn step(&mut self, seconds: f64) -> Result<(), sqlx::Error> {
        self.submit(seconds).await?;
        // Twice the average need, so that a backlog shrinks.
        let slots = whole(2.0 * self.rate * seconds) + 10;
        let connection = self.connection().await?;
        sqlx::query(include_str!("simulator/lease.sql")).bind(slots).execute(&mut *connection).await?;
        let passed: Vec<Uuid> =
            sqlx::query_scalar(include_str!("simulator/pass.sql")).fetch_all(&mut *connection).await?;
        resolve(connection, &passed).await?;
        sqlx::query(include_str!("simulator/repeat.sql")).execute(&mut *connection).await?;
        sqlx::query(include_str!("simulator/activate.sql")).execute(&mut *connection).await?;
        sqlx::query(include_str!("simulator/dispatch.sql")).execute(&mut *connection).await?;
        sqlx::query(include_str!("simulator/report.sql")).execute(&mut *connection).await?;
        let finished: Vec<Uuid> = sqlx::query_scalar(include_str!("simulator/finish.sql"))
            .bind(seconds)
            .fetch_all(&mut *connection)
            .await?;
        resolve(connection, &finished).await?;
        sqlx::query(include_str!("simulator/renew.sql")).execute(&mut *connection).await?;
        Ok(())
    }

    /// Submits the DAGs of `seconds`, unless the backlog is too large.
    async fn submit(&mut self, seconds: f64) -> Result<(), sqlx::Error> {
        let unfinished: i64 =
            sqlx::query_scalar("select count(*) from job where state in ('created', 'retry', 'active')")
                .fetch_one(self.connection().await?)
                .await?;
        if unfinished > LEFTOVERS + i64::from(whole(BACKLOG_SECONDS * self.rate)) {
            return Ok(());
        }
        self.owed_dags += self.rate * seconds / NODES_PER_DAG;
        let dags = whole(self.owed_dags);
        self.owed_dags -= f64::from(dags);
        if dags > 0 {
            let submit = sqlx::query(include_str!("simulator/submit.sql")).bind(dags);
            submit.execute(self.connection().await?).await?;
        }
        Ok(())
    }

    /// Does what happens less often: recovery of lost jobs, cancelling by an operator, the scheduler's heartbeat.
    async fn maintain(&mut self) -> Result<(), sqlx::Error> {
        let connection = self.connection().await?;
        let given_up: Vec<Uuid> =
            sqlx::query_scalar(include_str!("simulator/recover.sql")).fetch_all(&mut *connection).await?;
        resolve(connection, &given_up).await?;
        sqlx::query(include_str!("simulator/cancel.sql")).execute(&mut *connection).await?;
        sqlx::query(include_str!("simulator/maintain.sql")).execute(&mut *connection).await?;
        Ok(())
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(&self.url, &self.schema).await?,
        };
        Ok(self.connection.insert(connection))
    }
}

/// Opens a session, sets its search path, creates the queues, and runs session.sql.
async fn open(url: &str, schema: &str) -> Result<PgConnection, sqlx::Error> {
    let options = url.parse::<PgConnectOptions>()?.application_name("marie_scheduler");
    let mut connection = options.disable_statement_logging().connect().await?;
    sqlx::query("select set_config('search_path', $1, false), set_config('jit', 'off', false)")
        .bind(format!("{}, pg_catalog", crate::config::quote_identifier(schema)))
        .execute(&mut connection)
        .await?;
    // As in Marie, each queue has a dead-letter queue, which receives no jobs here.
    let names: Vec<&str> = QUEUES.iter().map(|queue| queue.name).collect();
    sqlx::query(
        "select create_queue(name, '{\"retry_limit\": 2}'),
            create_queue('$' || name || '_dlq', '{\"retry_limit\": 2}')
         from unnest($1::text[]) as name",
    )
    .bind(&names)
    .execute(&mut connection)
    .await?;
    sqlx::raw_sql(include_str!("simulator/session.sql")).execute(&mut connection).await?;
    let mut share_from = 0.0;
    for queue in &QUEUES {
        sqlx::query("insert into profile values ($1, $2, $3, $4, $5, make_interval(mins => $6))")
            .bind(queue.name)
            .bind(share_from)
            .bind(share_from + queue.share)
            .bind(queue.mean_run_seconds)
            .bind(queue.failing_share)
            .bind(queue.expire_minutes)
            .execute(&mut connection)
            .await?;
        share_from += queue.share;
    }
    Ok(connection)
}

async fn resolve(connection: &mut PgConnection, dags: &[Uuid]) -> Result<(), sqlx::Error> {
    if !dags.is_empty() {
        sqlx::query(include_str!("simulator/resolve.sql")).bind(dags).execute(connection).await?;
    }
    Ok(())
}

/// Returns the whole part, for counts of rows. A number that is too large becomes the largest one.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn whole(number: f64) -> i32 {
    number as i32
}
