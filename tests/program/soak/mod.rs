//! Ten minutes beside a scheduler at full rate, with a fault of the database every few seconds: the exporter's memory and
//! descriptors do not grow, and its counts are exact at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::demo::simulator::Simulator;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Connection, PgConnection, Row};
use tokio::sync::oneshot;

use crate::support::metrics::Metrics;
use crate::support::process::Process;
use crate::support::scrape;

/// Jobs that the scheduler finishes a second, more than Marie's own ever did.
const RATE: f64 = 200.0;
const LENGTH: Duration = Duration::from_mins(10);
/// Caches and pools have their size after this.
const WARM: Duration = Duration::from_mins(2);
const COUNTED: [&str; 2] = ["marie_jobs_created_total", "marie_jobs_finished_total"];

/// The resources of the process at one moment.
struct Usage {
    at: Duration,
    megabytes: f64,
    descriptors: f64,
}

/// Counts by family and queue.
type Counts = BTreeMap<(&'static str, String), f64>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes: cargo test --release --test program soak -- --ignored --nocapture"]
async fn ten_minutes_of_faults_leave_counts_and_memory_right() {
    let mut server = Server::start_with(&[("max_wal_size", "4GB")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    Shape::New.install(&mut admin, "marie_scheduler").await.unwrap();
    let exporter = Process::serve(&url, &["--collector.interval=1s", "--collector.slow-interval=10s"]);
    let address = exporter.address().to_owned();
    tokio::task::block_in_place(|| scrape::until_ready(&address));

    let (stop, stopped) = oneshot::channel::<()>();
    let mut simulator = Simulator::new(&url, "marie_scheduler", RATE);
    let scheduler = tokio::spawn(async move { simulator.run(async { stopped.await.unwrap_or(()) }).await });
    let mut random = StdRng::seed_from_u64(5);
    let began = Instant::now();
    let mut usage = Vec::new();
    let mut accidents = 0;
    while began.elapsed() < LENGTH {
        accident(&mut server, &url, random.random_range(0..4)).await;
        accidents += 1;
        for _ in 0..random.random_range(5..20) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = tokio::task::block_in_place(|| scrape::metrics(&address));
            let of = |name: &str| now.value(name, &[]).unwrap();
            usage.push(Usage {
                at: began.elapsed(),
                megabytes: of("process_resident_memory_bytes") / 1e6,
                descriptors: of("process_open_fds"),
            });
        }
    }
    stop.send(()).unwrap();
    scheduler.await.unwrap();

    let mut admin = PgConnection::connect(&url).await.unwrap();
    let truth = truth(&mut admin).await;
    let counted = tokio::task::block_in_place(|| until_counted(&address, &truth));
    let jobs: f64 =
        truth.iter().filter(|((family, _), _)| *family == COUNTED[1]).map(|(_, count)| count).sum();
    eprintln!("{accidents} accidents, {jobs} jobs finished");
    assert!(jobs > RATE * LENGTH.as_secs_f64() / 4.0, "the scheduler has done too little for a soak");
    assert_eq!(counted, truth);

    let warm: Vec<Usage> = usage.into_iter().filter(|usage| usage.at > WARM).collect();
    stays("MB", &warm.iter().map(|usage| usage.megabytes).collect::<Vec<_>>());
    stays("descriptors", &warm.iter().map(|usage| usage.descriptors).collect::<Vec<_>>());
    let (status, _, log) = exporter.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
}

/// Faults of a database.
async fn accident(server: &mut Server, url: &str, kind: u32) {
    let sql = match kind {
        0 => {
            server.stop().unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            return server.start_again().unwrap();
        }
        1 => {
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'marie-exporter'"
        }
        2 => "begin; lock table marie_scheduler.job in access exclusive mode; select pg_sleep(3); rollback",
        _ => "begin; update marie_scheduler.version set cron_on = now(); select pg_sleep(5); commit",
    };
    let mut session = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
}

async fn truth(session: &mut PgConnection) -> Counts {
    let rows = sqlx::raw_sql(include_str!("truth.sql")).fetch_all(session).await.unwrap();
    let mut counts = Counts::new();
    for row in rows {
        for (family, column) in COUNTED.into_iter().zip(["created", "finished"]) {
            #[expect(clippy::cast_precision_loss, reason = "well below 2^53")]
            counts.insert((family, row.get("queue")), row.get::<i64, _>(column) as f64);
        }
    }
    counts
}

/// Waits until the counts have reached the true ones.
fn until_counted(address: &str, truth: &Counts) -> Counts {
    let count = |metrics: &Metrics, (family, queue): &(&'static str, String)| {
        metrics.count(family, &[("queue", queue)])
    };
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let metrics = scrape::metrics(address);
        let counted: Counts = truth.keys().map(|key| (key.clone(), count(&metrics, key))).collect();
        if counted.iter().all(|(key, count)| *count >= truth[key]) || Instant::now() > deadline {
            return counted;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Asserts that a resource did not grow from the first half to the second.
fn stays(what: &str, held: &[f64]) {
    let (early, late) = held.split_at(held.len() / 2);
    let (early, late) = (median(early), median(late));
    eprintln!("{what}: {early:.1} in the first half, {late:.1} in the second");
    assert!(late <= early * 1.05 + 1.0, "{what} grow: {early} to {late}");
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
