//! The simulated scheduler writes what Marie would write: a past day with every state, and then jobs that finish, fail
//! and are retried in the order of their dependencies.

use std::future::pending;
use std::time::Duration;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::demo::simulator::Simulator;
use sqlx::{Connection, PgConnection};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::demo::{SERVER, count};

const PATIENCE: Duration = Duration::from_mins(1);

async fn new_scheduler(database: &str, rate: f64) -> (PgConnection, Simulator) {
    let url = SERVER.create_database(database).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    Shape::New.install(&mut connection, "marie_scheduler").await.unwrap();
    (connection, Simulator::new(&url, "marie_scheduler", rate))
}

async fn wait_until_at_least(connection: &mut PgConnection, least: i64, query: &'static str) {
    let enough = async {
        while count(connection, query).await < least {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, enough).await.is_ok(), "timed out: {least} rows of {query}");
}

#[tokio::test]
async fn past_day_has_every_state_and_rows_due_for_cleanup() {
    let (mut connection, mut simulator) = new_scheduler("past", 10.0).await;
    simulator.past_day().await.unwrap();

    let jobs = count(&mut connection, "select count(*) from job").await;
    assert!((20_000..=40_000).contains(&jobs), "{jobs} jobs");
    for (least, query) in [
        (8, "select count(distinct state) from job"),
        (5, "select count(distinct name) from job"),
        (
            1,
            "select count(*) from job where state = 'completed' and completed_on < now() - interval '7 days'",
        ),
        (1, "select count(*) from job where state = 'failed' and completed_on < now() - interval '30 days'"),
        (1, "select count(*) from job where state = 'active' and started_on < now() - interval '1 hour'"),
        (1, "select count(*) from job where state = 'active' and run_lease_expires_at < now()"),
        (
            1,
            "select count(*) from job where state = 'active' and expire_in > interval '0'
                and started_on + expire_in < now()",
        ),
        (1, "select count(*) from job where retry_count > 0"),
        (1, "select count(*) from job where hard_sla > created_on and completed_on > hard_sla"),
        (23, "select count(distinct date_trunc('hour', completed_on)) from job where state = 'completed'"),
    ] {
        let found = count(&mut connection, query).await;
        assert!(found >= least, "{found} instead of {least}: {query}");
    }
    assert_dags_make_sense(&mut connection).await;
}

#[tokio::test]
async fn ids_contain_their_creation_time() {
    let (mut connection, mut simulator) = new_scheduler("ids", 20.0).await;
    simulator.past_day().await.unwrap();
    let past = count(&mut connection, "select count(*) from job").await;
    assert!(past > 20_000, "{past} jobs");
    tokio::select! {
        () = simulator.run(pending()) => {}
        () = wait_until_at_least(&mut connection, past + 1, "select count(*) from job") => {}
    }
    for table in ["job", "dag"] {
        let undated = format!(
            "select count(*) from {table} where id::text !~ '^.{{14}}7.{{4}}[89ab]'
                or ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::int8
                    <> floor(extract(epoch from created_on) * 1000)"
        );
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(undated)).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, 0, "{table}");
    }
    let strange = "select count(*) from job where data -> 'metadata' ->> 'ref_id' <> dag_id::text";
    assert_eq!(count(&mut connection, strange).await, 0);
}

#[tokio::test]
async fn history_of_past_jobs_ends_with_their_final_state() {
    let (mut connection, mut simulator) = new_scheduler("past_history", 10.0).await;
    simulator.past_day().await.unwrap();
    for query in [
        "select count(*) from job
            left join job_history as change on change.id = job.id and change.state = job.state
                and change.completed_on = change.history_created_on
            where job.completed_on is distinct from change.history_created_on",
        "select count(*) from job
            left join job_history as change on change.id = job.id and change.state = 'created'
                and change.created_on = change.history_created_on
            where change.id is null",
        "select count(*) from job_history where history_created_on > now() or history_created_on < created_on",
        "select count(*) from dag
            left join dag_history as change on change.id = dag.id
                and change.completed_on = change.history_created_on
            where dag.completed_on is distinct from change.history_created_on",
    ] {
        assert_eq!(count(&mut connection, query).await, 0, "{query}");
    }
}

#[tokio::test]
async fn simulator_finishes_fails_and_retries_jobs_in_order() {
    let (mut connection, mut simulator) = new_scheduler("present", 200.0).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        simulator.run(async { stopped.await.unwrap_or_default() }).await;
    });
    for (least, query) in [
        (50, "select count(*) from dag where state = 'completed'"),
        (1, "select count(*) from dag where state = 'failed'"),
        (1, "select count(*) from job where state = 'failed'"),
        (1, "select count(*) from job where state = 'completed' and retry_count > 0"),
        (1, "select count(*) from job where state = 'created' and start_after > now()"),
        (1, "select count(*) from job_attempt where terminal_work_state = 'retry'"),
        (1, "select count(*) from version where maintained_on is not null and monitored_on is not null"),
        (3, "select count(distinct value) from kv_store_worker_history"),
    ] {
        wait_until_at_least(&mut connection, least, query).await;
        assert_dags_make_sense(&mut connection).await;
    }
    stop.send(()).unwrap();
    timeout(PATIENCE, running).await.unwrap().unwrap();

    // Submitted, leased, activated, dispatched, running, completed; renewals add more.
    let unusual = "select count(*) from job
        join (select id, count(*) as changes from job_history group by id) as history using (id)
        where state = 'completed' and retry_count = 0
            and changes < case when started_on is null then 3 else 6 end";
    assert_eq!(count(&mut connection, unusual).await, 0);
}

#[tokio::test]
async fn job_of_lost_worker_gets_another_attempt() {
    let (mut connection, mut simulator) = new_scheduler("recovery", 50.0).await;
    let running = tokio::spawn(async move { simulator.run(pending()).await });
    let lose = "with lost as (
            update job set run_owner = 'worker-lost', run_lease_expires_at = now() - interval '1 second'
            where id in (select id from job where state = 'active' and run_owner is not null
                and name <> 'gen5_extract' limit 1)
            returning id)
        select count(*) from lost";
    wait_until_at_least(&mut connection, 1, lose).await;
    let recovered = "select count(*) from job_attempt where recovery_reason = 'RUN_LEASE_EXPIRED'";
    wait_until_at_least(&mut connection, 1, recovered).await;
    let again = "select count(*) from job_attempt as lost join job_attempt as other using (job_id)
        where lost.recovery_at is not null and other.activated_at > lost.recovery_at";
    wait_until_at_least(&mut connection, 1, again).await;
    running.abort();
}

#[tokio::test]
async fn simulator_continues_after_an_outage_of_its_database() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("outage").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    Shape::New.install(&mut connection, "marie_scheduler").await.unwrap();
    let mut simulator = Simulator::new(&url, "marie_scheduler", 50.0);
    let running = tokio::spawn(async move { simulator.run(pending()).await });
    wait_until_at_least(&mut connection, 1, "select count(*) from job where state = 'completed'").await;

    server.stop().unwrap();
    server.start_again().unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let since = "select count(*) from marie_scheduler.job
        where state = 'completed' and completed_on > pg_postmaster_start_time()";
    wait_until_at_least(&mut connection, 1, since).await;
    running.abort();
}

/// Asserts that no DAG or job contradicts its parents, its times or its jobs.
async fn assert_dags_make_sense(connection: &mut PgConnection) {
    for query in [
        // All parents of an active job are finished.
        "select count(*) from job
            join job_dependencies as dependency on dependency.job_id = job.id
            join job as parent on parent.id = dependency.depends_on_id
            where job.state = 'active' and parent.state not in ('completed', 'skipped')",
        // Control flow never starts.
        "select count(*) from job where data -> 'metadata' ->> 'on' = 'noop' and started_on is not null",
        // Times are in order and not in the future.
        "select count(*) from job where created_on > started_on or started_on > completed_on
            or completed_on > now()",
        "select count(*) from dag where state = 'completed' and exists (
            select from job where dag_id = dag.id and state not in ('completed', 'skipped'))",
        "select count(*) from dag where state = 'failed' and not exists (
            select from job where dag_id = dag.id and state in ('failed', 'expired', 'cancelled'))",
        "select count(*) from dag where not exists (select from job where dag_id = dag.id)",
        // The table job_dependencies has every entry of job.dependencies.
        "select count(*) from job
            left join (select job_id, count(*) as parents from job_dependencies group by job_id) as known
                on job_id = id
            where jsonb_array_length(dependencies) <> coalesce(parents, 0)",
    ] {
        assert_eq!(count(connection, query).await, 0, "{query}");
    }
}
