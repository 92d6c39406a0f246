//! When a lane runs its collectors, on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Exporter;
use super::lane::LaneTask;
use super::schedule::share;
use crate::cli::{self, Command};
use crate::collect::collector::Lane;
use crate::collect::collectors::COLLECTORS;
use crate::postgres::{Failure, Reason};

fn lane(lane: Lane, flags: &[&str]) -> LaneTask {
    let names: Vec<_> = COLLECTORS.iter().map(|collector| (collector.name, collector.about)).collect();
    let arguments = ["marie-exporter", "serve", "--database-url=postgres://marie@127.0.0.1:1/none"];
    let arguments = arguments.iter().chain(flags).map(std::ffi::OsString::from);
    let Ok(Command::Serve(config)) = cli::parse(arguments, |_| None, &names) else {
        panic!("these flags are valid: {flags:?}")
    };
    LaneTask::new(Arc::new(Exporter::new(config).unwrap()), lane)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn lane_runs_only_collectors_with_a_query_in_it() {
    let names = |lane: &LaneTask| {
        lane.collectors.iter().map(|scheduled| scheduled.collector.name).collect::<Vec<_>>()
    };
    let slow = names(&lane(Lane::Slow, &["--no-collector.retries"]));
    assert_eq!(slow, ["statistics", "throughput", "dags", "storage", "scheduler"]);
    assert!(!names(&lane(Lane::Fast, &[])).contains(&"storage"));
}

#[tokio::test(start_paused = true)]
async fn runs_are_spread_over_the_interval_on_a_grid() {
    let mut lane = lane(Lane::Fast, &["--collector.interval=16s"]);
    let (started, count) = (lane.started, lane.collectors.len());
    assert!(
        lane.collectors.iter().all(|scheduled| scheduled.schedule.due == started),
        "all run at once after the start"
    );
    for (number, late) in [(0_u32, 0.0), (1, 0.3), (2, 0.0)] {
        let mut dues = Vec::new();
        for index in 0..count {
            tokio::time::advance(seconds(late)).await;
            lane.schedule_next(index, Some(Duration::ZERO));
            dues.push(lane.collectors[index].schedule.due - started);
        }
        for (index, due) in dues.iter().enumerate() {
            let expected = seconds(16.0 * f64::from(number)) + seconds(16.0).mul_f64(share(index + 1, count));
            let off = due.as_secs_f64() - expected.as_secs_f64();
            assert!(off.abs() < 1e-6, "run {number} of collector {index}: {due:?} is not {expected:?}");
        }
        tokio::time::advance(started + seconds(16.0 * f64::from(number + 1)) - Instant::now()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn load_budget_stretches_interval_to_cost_by_budget() {
    let mut lane = lane(Lane::Fast, &["--collector.interval=15s", "--collector.load-budget=1%"]);
    assert_eq!(lane.schedule_next(0, Some(seconds(0.1))), seconds(15.0));
    assert_eq!(lane.schedule_next(0, Some(seconds(0.5))), seconds(50.0));
    assert_eq!(lane.collectors[0].schedule.due, Instant::now() + seconds(50.0));
    // A run that is not charged leaves the interval as it was.
    assert_eq!(lane.schedule_next(0, None), seconds(50.0));
    assert_eq!(lane.schedule_next(0, Some(seconds(0.01))), seconds(15.0));
    let collectors = &lane.exporter.config.collectors;
    assert_eq!(collectors.lifetime(seconds(15.0)), seconds(300.0));
    assert_eq!(collectors.lifetime(seconds(200.0)), seconds(600.0));
}

#[tokio::test(start_paused = true)]
async fn deferred_pause_is_repaid_by_pauses_of_twice_the_length() {
    let mut lane = lane(Lane::Fast, &["--collector.interval=15s", "--collector.load-budget=1%"]);
    assert_eq!(lane.schedule_next(0, Some(seconds(0.01))), seconds(15.0));
    assert!(lane.defer_pause(0, seconds(0.4)));
    assert_eq!(lane.schedule_next(0, None), seconds(15.0), "the first pause is deferred");
    assert!(!lane.defer_pause(0, seconds(0.4)), "the deferred pause is not repaid yet");
    for interval in [30.0, 30.0, 25.0, 15.0] {
        assert_eq!(lane.schedule_next(0, Some(seconds(0.01))), seconds(interval));
    }
    assert!(lane.defer_pause(0, seconds(0.4)));
}

#[tokio::test(start_paused = true)]
async fn time_outs_between_successes_stay_within_budget() {
    let mut lane = lane(Lane::Slow, &["--collector.slow-interval=30s", "--collector.load-budget=1%"]);
    let (started, mut busy) = (Instant::now(), Duration::ZERO);
    for number in 0..200 {
        let is_a_success = number % 2 == 0;
        let cost = seconds(if is_a_success { 4.0 } else { 10.0 });
        busy += cost;
        let charged = (is_a_success || !lane.defer_pause(0, cost)).then_some(cost);
        lane.schedule_next(0, charged);
        let pause = lane.collectors[0].schedule.due - Instant::now();
        tokio::time::advance(pause).await;
    }
    let share = busy.as_secs_f64() / started.elapsed().as_secs_f64();
    assert!(share < 0.0102, "{share}");
}

#[tokio::test(start_paused = true)]
async fn pause_after_failed_connect_doubles_with_jitter() {
    let mut lane = lane(Lane::Slow, &["--collector.interval=15s"]);
    let failure = Failure::new(Reason::Unavailable, "gone".to_owned());
    for expected in [1.0, 2.0, 4.0, 8.0, 15.0, 15.0] {
        lane.back_off(&failure, Duration::ZERO);
        let pauses: Vec<_> =
            lane.collectors.iter().map(|scheduled| scheduled.schedule.due - Instant::now()).collect();
        assert!(pauses.iter().all(|pause| *pause == pauses[0]), "the lane pauses as a whole: {pauses:?}");
        assert!(pauses[0] >= seconds(expected / 2.0) && pauses[0] <= seconds(expected), "{pauses:?}");
        tokio::time::advance(pauses[0]).await;
    }
    lane.failed_attempts = u32::MAX;
    lane.back_off(&failure, Duration::ZERO);
    assert!(lane.collectors[0].schedule.due - Instant::now() <= seconds(15.0));
}
