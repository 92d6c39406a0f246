//! A server whose lock table is small compared with the partitions of `job`, so that the exporter's locks could leave too
//! few for the scheduler.
//!
//! With `MARIE_EXPORTER_LONG_TESTS=1` there are 200 queues in 400 partitions at PostgreSQL's default settings, else 40
//! queues in 80 partitions and a fifth of the connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{Connection, PgConnection, Row};

use crate::support::databases::{furnished, run};
use crate::support::long_tests::is_long_run;
use crate::support::metrics::Metrics;
use crate::support::process::{self, Process};
use crate::support::scrape;

/// The locks that all sessions of the exporter hold now.
const LOCKS: &str = "
    select coalesce(sum(held), 0)::int8 as locks
    from (
        select count(*) as held
        from pg_locks as l
        join pg_stat_activity as a on a.pid = l.pid
        where a.application_name = 'marie-exporter'
        group by a.pid
    ) as session";

/// Statements that the scheduler repeats: one over all partitions, a job that starts, a job that ends, a count.
const SCHEDULER: [&str; 4] = [
    "select marie_scheduler.refresh_job_durations()",
    "update marie_scheduler.job set state = 'active', started_on = now() where name = 'q7' and id = md5('q7 1')::uuid",
    "update marie_scheduler.job set state = 'completed', completed_on = now() where name = 'q7' and id = md5('q7 1')::uuid",
    "select count(*) from marie_scheduler.job where state = 'created'",
];

struct Setup {
    /// Number of starts. At each start all statements are planned.
    starts: u32,
    queues: u32,
    max_connections: &'static str,
    /// Most locks of the exporter: an eighth of the lock table, and at most 600.
    allowed: u64,
}

fn setup() -> Setup {
    if is_long_run() {
        Setup { starts: 10, queues: 200, max_connections: "100", allowed: 600 }
    } else {
        eprintln!("40 of 200 queues; MARIE_EXPORTER_LONG_TESTS=1 has all of them");
        Setup { starts: 3, queues: 40, max_connections: "20", allowed: 160 }
    }
}

/// Creates a database with these queues, their twins, and ten jobs in each queue.
async fn partitioned(url: &str, queues: u32) -> PgConnection {
    let mut admin = PgConnection::connect(url).await.unwrap();
    Shape::Mid.install(&mut admin, "marie_scheduler").await.unwrap();
    for number in 1..=queues {
        run(
            &mut admin,
            &format!(
                "select create_queue('q{number}', '{{}}'), create_queue('$q{number}_dlq', '{{}}');
                 insert into dag (id, name, state) values (md5('q{number}')::uuid, 'q{number}', 'active');
                 insert into job (id, name, state, dag_id, dependencies)
                 select
                     md5('q{number} ' || n)::uuid, 'q{number}',
                     case when n < 4 then 'completed' when n < 6 then 'active' else 'created' end::job_state,
                     md5('q{number}')::uuid,
                     case when n = 10 then jsonb_build_array(md5('q{number} 9')) else '[]' end
                 from generate_series(1, 10) as n"
            ),
        )
        .await;
    }
    run(&mut admin, "analyze").await;
    admin
}

/// Scrapes until the published metrics fulfil the condition.
fn until(process: &Process, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let metrics = scrape::metrics(process.address());
        if holds(&metrics) {
            return metrics;
        }
        let page = || scrape::get(process.address()).text();
        assert!(Instant::now() < deadline, "timed out: {what}: {}", page());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs the scheduler's statements until `ends` is set or one fails; returns how many ran.
async fn schedule(url: String, ends: Arc<AtomicBool>) -> Result<u64, String> {
    let mut session = PgConnection::connect(&url).await.map_err(|error| error.to_string())?;
    let mut count = 0;
    while !ends.load(Ordering::Relaxed) {
        for statement in SCHEDULER {
            count += 1;
            let outcome = sqlx::raw_sql(statement).execute(&mut session).await;
            outcome.map_err(|error| format!("statement {count}, {statement}: {error}"))?;
        }
    }
    Ok(count)
}

/// Records the most locks that the exporter's sessions hold together.
async fn count_locks(url: String, ends: Arc<AtomicBool>, most: Arc<AtomicU64>) {
    let mut session = PgConnection::connect(&url).await.unwrap();
    while !ends.load(Ordering::Relaxed) {
        let Ok(row) = sqlx::query(LOCKS).fetch_one(&mut session).await else { return };
        most.fetch_max(row.get::<i64, _>("locks").unsigned_abs(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_leave_the_lock_table_to_the_scheduler() {
    let Setup { starts, queues, max_connections, allowed } = setup();
    let server = Server::start_with(&[("max_connections", max_connections)]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    drop(partitioned(&url, queues).await);
    let (ends, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let scheduler = tokio::spawn(schedule(url.clone(), Arc::clone(&ends)));
    let counter = tokio::spawn(count_locks(url.clone(), Arc::clone(&ends), Arc::clone(&most)));
    let began = Instant::now();
    for _ in 0..starts {
        let process = Process::serve(&url, &["--collector.load-budget=100%"]);
        let of_last = [("queue", "q40")];
        let metrics = until(&process, "every collector has run", |now| {
            now.value("marie_jobs_ready", &of_last) == Some(4.0)
                && now.value("marie_jobs_blocked", &[of_last[0], ("reason", "dependency")]) == Some(1.0)
                && now.value("marie_dags_stalled", &[("reason", "failed_job")]) == Some(0.0)
                && now.value("marie_jobs_retried", &of_last) == Some(0.0)
                && now.value("marie_jobs", &[of_last[0], ("state", "completed")]) == Some(3.0)
        });
        assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0);
        process.end("TERM");
    }
    for words in [["archive", "--older-than=7d"], ["purge", "completed"]] {
        let mut arguments = vec!["maintain", words[0], words[1], "--database-url", &url];
        if words[0] == "purge" {
            arguments.push("--older-than=7d");
        }
        let refused = process::output(&arguments);
        let text = process::text(&refused.stderr);
        assert!(!refused.status.success() && text.contains("max_locks_per_transaction"), "{words:?}: {text}");
    }
    ends.store(true, Ordering::Relaxed);
    counter.await.unwrap();
    let statements = scheduler.await.unwrap().unwrap();
    let most = most.load(Ordering::Relaxed);
    eprintln!(
        "{starts} starts in {:?}: {statements} statements of the scheduler, at most {most} locks",
        began.elapsed()
    );
    assert!(most > 0 && most <= allowed, "the exporter held {most} locks");
}

/// Opens a session that holds all locks of the server's lock table.
async fn fill_lock_table(url: &str) -> PgConnection {
    let mut session = PgConnection::connect(url).await.unwrap();
    loop {
        let locks =
            "select count(pg_advisory_lock(nextval('public.lock_number'))) from generate_series(1, 10)";
        if let Err(error) = sqlx::raw_sql(locks).execute(&mut session).await {
            assert!(error.to_string().contains("out of shared memory"), "{error}");
            return session;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_lock_table_pauses_all_paces() {
    let server = Server::start_with(&[("max_connections", "20")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    // `job` has more indexes than a session has lock slots outside the lock table.
    let mut admin = furnished(&url, Shape::New).await;
    run(&mut admin, "create sequence public.lock_number").await;
    let session = fill_lock_table(&url).await;
    let process = Process::serve(&url, &[]);
    let reason = [("reason", "out_of_memory")];
    until(&process, "the reason is counted", |now| {
        now.count("marie_collector_failures_total", &reason) > 0.0
    });
    drop(session);
    let runs = || scrape::metrics(process.address()).count("marie_collector_runs_total", &[]);
    let before = runs();
    // Many intervals fit into this time; the pause takes ten minutes.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(runs(), before, "the exporter did not pause");
    process.end("TERM");
}
