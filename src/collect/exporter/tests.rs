//! Which task the runner executes next, on a paused clock.

#![allow(clippy::float_cmp, reason = "these numbers are exact")]

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Exporter;
use super::runner::Runner;
use crate::cli::{self, Command};
use crate::collect::collectors::COLLECTORS;
use crate::collect::pace::Pace;
use crate::postgres::{Failure, Reason};

fn runner(flags: &[&str]) -> Runner {
    let names: Vec<_> = COLLECTORS.iter().map(|collector| (collector.name, collector.about)).collect();
    let arguments = ["marie-exporter", "serve", "--database-url=postgres://marie@127.0.0.1:1/none"];
    let arguments = arguments.iter().chain(flags).map(std::ffi::OsString::from);
    let Ok(Command::Serve(config)) = cli::parse(arguments, |_| None, &names) else {
        panic!("these flags are valid: {flags:?}")
    };
    Runner::new(Arc::new(Exporter::new(config).unwrap()))
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Uses up the allowance of the start.
fn without_allowance(runner: &mut Runner) {
    runner.budget.charge(Pace::History, seconds(10.0), Instant::now());
}

/// Ends a run of a task that took no time and this database time; returns the interval in force.
fn end_run(runner: &mut Runner, index: usize, busy: f64) -> f64 {
    let pace = runner.tasks[index].pace;
    runner.budget.charge(pace, seconds(busy), Instant::now());
    let config = runner.exporter.config.clone();
    let interval = runner.tasks[index].end_run(Instant::now(), seconds(busy), &runner.budget, &config);
    interval.as_secs_f64()
}

/// Returns the pace of the next task and the seconds until it may run.
fn next(runner: &mut Runner) -> (Pace, f64) {
    let (index, at) = runner.next().unwrap();
    (runner.tasks[index].pace, at.saturating_duration_since(Instant::now()).as_secs_f64())
}

#[test]
fn collectors_that_are_off_have_no_task() {
    let paces = |runner: &Runner| runner.tasks.iter().map(|task| task.pace).collect::<Vec<_>>();
    assert_eq!(
        paces(&runner(&["--no-collector.events"])).iter().filter(|pace| **pace == Pace::Events).count(),
        0
    );
    let off: Vec<String> =
        COLLECTORS.iter().map(|collector| format!("--no-collector.{}", collector.name)).collect();
    let off: Vec<&str> = off.iter().map(String::as_str).collect();
    assert!(runner(&off).next().is_none());
}

#[tokio::test(start_paused = true)]
async fn most_urgent_due_task_runs_first() {
    let mut runner = runner(&["--collector.interval=15s"]);
    assert_eq!(next(&mut runner), (Pace::Pulse, 0.0), "all are due at once after the start");
    assert_eq!(end_run(&mut runner, 0, 0.0), 15.0);
    assert_eq!(next(&mut runner), (Pace::Events, 0.0));
    end_run(&mut runner, 1, 0.0);
    assert_eq!(next(&mut runner), (Pace::Backlog, 0.0));
    for index in 2..runner.tasks.len() {
        end_run(&mut runner, index, 0.0);
    }
    tokio::time::advance(seconds(15.0)).await;
    assert_eq!(next(&mut runner), (Pace::Pulse, 0.0), "the pulse does not wait for the others");
}

#[tokio::test(start_paused = true)]
async fn pace_waits_for_the_budget_while_others_run() {
    let mut runner = runner(&["--collector.interval=15s", "--collector.load-budget=1%"]);
    without_allowance(&mut runner);
    // 0.3 s at 30 % of 1 % are 100 s.
    end_run(&mut runner, 0, 0.3);
    assert_eq!(next(&mut runner), (Pace::Events, 0.0));
    for index in 1..runner.tasks.len() {
        end_run(&mut runner, index, 0.0);
    }
    let (pace, wait) = next(&mut runner);
    assert_eq!((pace, wait), (Pace::Events, 15.0), "the pulse is due then too, and has to wait");
}

#[tokio::test(start_paused = true)]
async fn task_gets_its_turn_although_the_pulse_is_always_due() {
    let mut runner = runner(&["--collector.interval=1ms", "--collector.load-budget=100%"]);
    let mut turns = std::collections::BTreeMap::new();
    for _ in 0..100 {
        let (index, at) = runner.next().unwrap();
        tokio::time::sleep_until(at).await;
        tokio::time::advance(seconds(0.2)).await;
        *turns.entry(runner.tasks[index].pace).or_insert(0) += 1;
        end_run(&mut runner, index, 0.0);
    }
    assert!(turns[&Pace::Pulse] > 40 && turns[&Pace::Backlog] >= 5, "{turns:?}");
    assert!(turns[&Pace::History] >= 1, "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn interval_is_what_the_budget_demands() {
    let mut runner = runner(&["--collector.interval=15s", "--collector.load-budget=1%"]);
    assert_eq!(end_run(&mut runner, 0, 4.0), 15.0, "the allowance pays for this run and the next one");
    without_allowance(&mut runner);
    assert_eq!(end_run(&mut runner, 0, 0.02), 15.0);
    // 0.3 s now and 0.3 s at the next run: at 30 % of 1 % for a minute, then also with what the others do not need.
    let interval = end_run(&mut runner, 1, 0.3);
    assert!((60.0..200.0).contains(&interval), "{interval}");
    let collectors = &runner.exporter.config.collectors;
    assert_eq!(collectors.lifetime(seconds(15.0)), seconds(300.0));
    assert_eq!(collectors.lifetime(seconds(200.0)), seconds(600.0));
}

#[tokio::test(start_paused = true)]
async fn pause_after_failed_connect_doubles_with_jitter() {
    let mut runner = runner(&["--collector.interval=15s"]);
    let failure = Failure::new(Reason::Unavailable, "gone".to_owned());
    for expected in [1.0, 2.0, 4.0, 8.0, 15.0, 15.0] {
        runner.back_off(&failure);
        let (pace, wait) = next(&mut runner);
        assert_eq!(pace, Pace::Pulse, "the most urgent task runs first after an outage");
        assert!(wait >= expected / 2.0 && wait <= expected, "{wait}");
        tokio::time::advance(seconds(wait)).await;
    }
    runner.failed_attempts = u32::MAX;
    runner.back_off(&failure);
    assert!(next(&mut runner).1 <= 15.0);
}
