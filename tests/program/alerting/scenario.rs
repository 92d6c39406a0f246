//! A scenario: a database with a simulated scheduler and its exporters, under one scrape job.
//!
//! The label `job` identifies the scenario, and so the fault that caused an alert.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::JoinHandle;

use crate::alerting::time_scale::TimeScale;
use crate::support::databases::run;
use crate::support::process::{self, Process};
use crate::support::prometheus::free_port;

/// Interval of the scheduler's work in production time.
const BEAT: Duration = Duration::from_secs(10);

/// Queues of each scenario; `calm` stays without faults.
pub(crate) const QUEUES: [&str; 13] = [
    "calm", "hung", "broken", "late", "overdue", "slow", "flaky", "retrying", "worn", "idle", "growing",
    "waiting", "leased",
];

pub(crate) struct Scenario {
    url: String,
    scale: TimeScale,
    pub(crate) ports: Vec<u16>,
    exporters: Vec<Option<Process>>,
    is_paused: Arc<AtomicBool>,
    scheduler: JoinHandle<()>,
    /// A transaction that a fault has left open.
    open: Option<PgConnection>,
}

impl Scenario {
    /// Creates the database on this server and starts scheduler and exporters.
    pub(crate) async fn build(server: &Server, name: &str, exporters: usize, scale: TimeScale) -> Self {
        let url = server.create_database(name).await.unwrap();
        let mut admin = PgConnection::connect(&url).await.unwrap();
        Shape::New.install(&mut admin, "marie_scheduler").await.unwrap();
        for queue in QUEUES {
            let settings = r#"{"retry_limit": 2, "retention_minutes": 20160, "expire_seconds": 900}"#;
            run(&mut admin, &format!("select create_queue('{queue}', '{settings}')")).await;
        }
        // A panel shows cancelled DAGs, which the scheduler below never creates.
        run(
            &mut admin,
            "insert into dag (id, name, state, completed_on)
             values (md5('cancelled')::uuid, 'cancelled', 'cancelled', now())",
        )
        .await;
        // The role of docs/connecting.md, from which a fault can revoke rights.
        run(
            &mut admin,
            "do $$ begin create role reader login; exception when duplicate_object then null; end $$;
             grant usage on schema marie_scheduler to reader;
             grant select on all tables in schema marie_scheduler to reader",
        )
        .await;
        let ports: Vec<u16> = (0..exporters).map(|_| free_port()).collect();
        let is_paused = Arc::new(AtomicBool::new(false));
        let scheduler = tokio::spawn(schedule(url.clone(), scale.shorten(BEAT), Arc::clone(&is_paused)));
        let mut scenario = Scenario {
            url,
            scale,
            exporters: ports.iter().map(|_| None).collect(),
            ports,
            is_paused,
            scheduler,
            open: None,
        };
        for number in 0..exporters {
            scenario.start(number);
        }
        scenario
    }

    pub(crate) fn start(&mut self, number: usize) {
        let url = self.url.replace("postgres@", "reader@");
        let mut command = process::command(&["serve", "--database-url", &url, "--dags.progress-limit=3"]);
        command.args(self.scale.flags());
        command.arg(format!("--web.listen-address=127.0.0.1:{}", self.ports[number]));
        self.exporters[number] = Some(Process::start(command, 1));
    }

    pub(crate) fn stop(&mut self, number: usize) {
        self.exporters[number] = None;
    }

    pub(crate) fn pause_scheduler(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    /// Runs statements as the database's owner.
    pub(crate) async fn run(&self, sql: &str) {
        run(&mut connect(&self.url).await.unwrap(), sql).await;
    }

    /// Runs a statement in a transaction and leaves it open.
    pub(crate) async fn leave_open(&mut self, statement: &str) {
        let mut session = connect(&self.url).await.unwrap();
        run(&mut session, &format!("begin; {statement}")).await;
        self.open = Some(session);
    }

    /// Ends the transaction of [`Scenario::leave_open`].
    pub(crate) fn end_open_transaction(&mut self) {
        self.open = None;
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        self.scheduler.abort();
    }
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let mut session = PgConnection::connect(url).await?;
    sqlx::raw_sql("set search_path = marie_scheduler, pg_catalog").execute(&mut session).await?;
    Ok(session)
}

/// Runs the scenario's scheduler. During an outage it connects again at the next beat.
async fn schedule(url: String, beat: Duration, is_paused: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(beat);
    let mut session = None;
    loop {
        ticks.tick().await;
        if is_paused.load(Ordering::Relaxed) {
            continue;
        }
        let mut connection = match session.take() {
            Some(connection) => connection,
            None => match connect(&url).await {
                Ok(connection) => connection,
                Err(_) => continue,
            },
        };
        if work(&mut connection).await.is_ok() {
            session = Some(connection);
        }
    }
}

async fn work(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for statement in include_str!("beat.sql").split("\n----\n") {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}
