//! The wall clock is set forwards and back while the exporter serves, as by a person, NTP or a hypervisor. The library of
//! `faketime` sets it for this process only. It does not change the monotonic clock, like a real change of the time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::process::{Process, command, text};
use crate::support::scrape::{get, until};
use crate::support::watch::Watch;

const HOUR: f64 = 3600.0;

struct Clock {
    library: String,
    file: PathBuf,
}

impl Clock {
    fn new(file: PathBuf) -> Self {
        // The command faketime finds its library.
        let printed = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output().unwrap();
        let clock = Clock { library: text(&printed.stdout).trim().to_owned(), file };
        clock.set("+0");
        clock
    }

    /// Sets the clock to this offset from the true time, atomically.
    fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        for setting in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
            command.env(setting, "1");
        }
    }
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn runs(metrics: &Metrics, pace: &str) -> Vec<f64> {
    metrics.values("marie_collector_runs_total", &[("pace", pace)])
}

/// Asserts that each collector of the backlog keeps its interval, and that none of the history runs early.
fn keep_their_pace(watch: &Watch) {
    let before = watch.metrics();
    let began = Instant::now();
    let gained = |now: &Metrics| -> Vec<f64> {
        runs(now, "backlog").iter().zip(runs(&before, "backlog")).map(|(now, before)| now - before).collect()
    };
    let running = |gained: &[f64]| gained.iter().filter(|runs| **runs >= 5.0).count() >= 5;
    let after = watch.until("each runs five times", |now| running(&gained(now)));
    let possible = (began.elapsed().as_secs_f64() / 0.2).ceil() + 1.0;
    let gained = gained(&after);
    assert!(gained.iter().all(|runs| *runs <= possible), "{gained:?} in {:?}", began.elapsed());
    assert_eq!(runs(&after, "history"), runs(&before, "history"));
    assert_eq!(after.count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
}

/// Asserts that Unix times follow the wall clock, which is `offset` seconds from the true time, and that ages are true.
fn tells_the_time(watch: &Watch, address: &str, started: Instant, ready: Instant, offset: f64) {
    let metrics = watch.until("the clock's offset is measured", |now| {
        let measured = now.value("marie_database_clock_offset_seconds", &[]);
        measured.is_some_and(|measured| (measured + offset).abs() < 1.0)
    });
    let stamps = metrics.values("marie_collector_last_success_timestamp_seconds", &[]);
    assert!(stamps.len() > 8, "{stamps:?}");
    let now = unix_time() + offset;
    let age = started.elapsed().as_secs_f64();
    let slack = 1.5;
    for stamp in stamps {
        assert!((-slack..age + slack).contains(&(now - stamp)), "{stamp} at {now}");
    }
    let page = get(address).text();
    let ages: Vec<Duration> = page
        .split("<td>")
        .filter_map(|cell| Some(humantime::parse_duration(cell.split_once(" ago<")?.0).unwrap()))
        .collect();
    // The history was read once, at the start.
    let oldest = ages.iter().max().unwrap();
    assert!(*oldest <= started.elapsed() && *oldest + Duration::from_secs(1) >= ready.elapsed(), "{ages:?}");
}

#[tokio::test]
async fn clock_step_changes_no_schedule_and_no_age() {
    let mut database = Database::new(Shape::New).await;
    let url = database.reader("of_the_clock").await;
    let folder = tempfile::tempdir().unwrap();
    let web_config = folder.path().join("web.yml");
    let frames = |value: &str| {
        fs::write(&web_config, format!("http_server_config: {{headers: {{X-Frame-Options: {value}}}}}"))
    };
    frames("deny").unwrap();
    let clock = Clock::new(folder.path().join("time"));
    let mut serve = command(&["serve", "--database-url", &url, "--web.listen-address=127.0.0.1:0"]);
    // The history is read once. Its numbers live for an hour and a half, less than the clock is set by.
    serve.args(["--collector.interval=200ms", "--collector.slow-interval=30m", "--collector.stale-after=2s"]);
    serve.arg("--collector.load-budget=100%").arg("--web.config.file").arg(&web_config);
    clock.give(&mut serve);
    let started = Instant::now();
    let process = Process::start(serve, 1);
    let address = process.address().to_owned();
    let watch = Watch::attach(process, Duration::from_millis(200));
    let ready = Instant::now();
    keep_their_pace(&watch);
    tells_the_time(&watch, &address, started, ready, 0.0);

    for (setting, offset, header) in [("+2h", 2.0 * HOUR, "sameorigin"), ("-2h", -2.0 * HOUR, "deny")] {
        clock.set(setting);
        keep_their_pace(&watch);
        tells_the_time(&watch, &address, started, ready, offset);
        let metrics = watch.metrics();
        assert!(metrics.has("marie_jobs_stuck") && metrics.has("marie_table_size_bytes"), "{setting}");
        assert_eq!(get(&format!("{address}/-/healthy")).status, 200);
        frames(header).unwrap();
        until(&address, "the web configuration is read again", |answer| {
            answer.header("x-frame-options") == Some(header)
        });
    }

    // Samples expire by the monotonic clock, although the wall clock goes back for hours.
    database
        .run(
            "alter role of_the_clock nologin;
             select pg_terminate_backend(pid) from pg_stat_activity where usename = 'of_the_clock'",
        )
        .await;
    clock.set("-4h");
    let began = Instant::now();
    watch.until("the numbers of the pulse are withdrawn", |now| !now.has("marie_jobs_stuck"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(watch.metrics().has("marie_table_size_bytes"), "those of the history live longer");
    database.run("alter role of_the_clock login").await;
    watch.until("the numbers are back", |now| {
        now.value("marie_up", &[]) == Some(1.0) && now.has("marie_jobs_stuck")
    });
    watch.end();
}
