//! A simulated scheduler and its workers: DAGs of dependent jobs go through the tables of the shape
//! `new` in the steps in which Marie writes them. Each step is one set-based statement in
//! `simulator/*.sql`; what happens to a job is drawn there, so no state is kept outside the tables.

use std::time::Duration;

use sqlx::types::Uuid;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const STEP: Duration = Duration::from_millis(250);
const RECOVERY_INTERVAL: Duration = Duration::from_secs(15);
const RECONNECT_DELAY: Duration = Duration::from_secs(1);
/// A pause, of this machine or of the database, is not made up for beyond this.
const LONGEST_STEP_SECONDS: f64 = 2.0;
/// What `blueprint` in session.sql makes on average.
const NODES_PER_DAG: f64 = 7.5;
/// Seconds of work that may wait before nothing more is submitted.
const BACKLOG_SECONDS: f64 = 180.0;
/// Unfinished jobs that the past leaves for good, roughly.
const LEFTOVERS: i64 = 1500;

/// How a queue's jobs behave.
struct Queue {
    name: &'static str,
    /// Part of all DAGs.
    share: f64,
    mean_run_seconds: f64,
    failing_share: f64,
    /// 0 where jobs do not expire, as for all that come through Marie's gateway.
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

/// The scheduler. It connects when it has something to write, and again after an outage.
pub struct Simulator {
    url: String,
    schema: String,
    rate: f64,
    connection: Option<PgConnection>,
    /// The part of a DAG that the steps so far have not submitted yet.
    owed_dags: f64,
}

impl Simulator {
    /// A scheduler on a schema of [`Shape::New`](super::shape::Shape) that finishes roughly `rate`
    /// jobs a second.
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

    /// Works until `shutdown` is ready. An outage of the database is logged and waited out.
    pub async fn run(&mut self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.work() => {}
        }
        // A statement may have been given up in the middle: this session is of no more use.
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
                result = self.look_after().await;
            }
            if let Err(error) = result {
                tracing::warn!(%error, "the simulated scheduler lost its database and tries again");
                self.connection = None;
                sleep(RECONNECT_DELAY).await;
            }
        }
    }

    /// What Marie's loop does several times a second. Every statement is its own transaction.
    async fn step(&mut self, seconds: f64) -> Result<(), sqlx::Error> {
        self.submit(seconds).await?;
        // Twice what is needed on average, so that a backlog shrinks.
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

    /// Submits the DAGs that `seconds` bring, unless too much is unfinished already.
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

    /// What happens less often: the reaper, the operator, the scheduler's sign of life.
    async fn look_after(&mut self) -> Result<(), sqlx::Error> {
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

/// A session with the schema in its search path, the queues in place, and what session.sql makes.
async fn open(url: &str, schema: &str) -> Result<PgConnection, sqlx::Error> {
    let options = url.parse::<PgConnectOptions>()?.application_name("marie_scheduler");
    let mut connection = options.disable_statement_logging().connect().await?;
    sqlx::query("select set_config('search_path', $1, false), set_config('jit', 'off', false)")
        .bind(format!("{}, pg_catalog", crate::config::quote_identifier(schema)))
        .execute(&mut connection)
        .await?;
    // Each queue comes with a twin that never receives a job, as in Marie.
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

/// The whole part, for counts of rows; a rate beyond what fits is as good as the largest.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn whole(number: f64) -> i32 {
    number as i32
}
