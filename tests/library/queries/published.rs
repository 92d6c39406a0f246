//! Which queues are published, and how the queues beyond the limit are merged.

use std::time::Duration;

use marie_exporter::collect::collectors::{queues, retries, statistics, stuck};
use marie_exporter::demo::shape::Shape;
use regex::Regex;

use crate::queries::rows::{Dag, HOUR, Job, MINUTE};
use crate::queries::scheduler::{Scheduler, Seen, Series};

const WITH_QUEUES: [Shape; 3] = [Shape::Old, Shape::Mid, Shape::New];

/// Creates five queues with old active jobs: five in the first queue, one in the last.
async fn scheduler(shape: Shape) -> Scheduler {
    let mut scheduler = Scheduler::new(shape).await;
    let dag = Dag::new(1, "active", "ocr");
    let mut jobs: Vec<Job> = Vec::new();
    for (index, queue) in ["five", "four", "three", "two", "one"].into_iter().enumerate() {
        scheduler.create_queue(queue, r#"{"retry_limit": 2}"#).await;
        for _ in index..5 {
            let started = Some(-HOUR - MINUTE * i64::try_from(jobs.len()).unwrap());
            let retry_count = i32::try_from(jobs.len()).unwrap();
            let job = Job::new(10 + jobs.len() as u128, queue, &dag, "active");
            jobs.push(Job { started, retry_count, ..job });
        }
    }
    scheduler.insert(&[dag], &jobs).await;
    scheduler
}

/// Returns the values of a family by its label `queue`.
fn by_queue(series: &Series, family: &str) -> Vec<(String, String)> {
    let rows = series.iter().filter(|((name, _), _)| *name == family);
    rows.map(|((_, labels), value)| (labels[0].clone(), value.to_string())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(queue, value)| ((*queue).to_owned(), (*value).to_owned())).collect()
}

fn queues_of(series: &Series) -> Vec<String> {
    let mut queues: Vec<String> = series.keys().map(|(_, labels)| labels[0].clone()).collect();
    queues.sort();
    queues.dedup();
    queues
}

#[tokio::test]
async fn queues_beyond_the_limit_are_merged_into_other() {
    for shape in Shape::ALL {
        let mut scheduler = scheduler(shape).await;
        scheduler.config.queues.limit = 2;
        let statistics = scheduler.series(&statistics::COLLECTOR).await;
        assert_eq!(queues_of(&statistics), ["five", "four", "other"]);
        let jobs: f64 =
            statistics.iter().filter(|((name, _), _)| *name == "marie_jobs").map(|(_, value)| value).sum();
        assert_eq!(jobs.to_string(), "15");
        let active = &("marie_jobs", vec!["other".to_owned(), "active".to_owned()]);
        assert_eq!(statistics[active].to_string(), "6");
        let oldest = &("marie_oldest_active_job_timestamp_seconds", vec!["other".to_owned()]);
        let earliest_start = scheduler.now - HOUR - 14 * MINUTE;
        assert_eq!((statistics[oldest] * 1e6).round().to_string(), earliest_start.to_string());

        let retries = scheduler.series(&retries::COLLECTOR).await;
        let largest = by_queue(&retries, "marie_jobs_retry_attempts_max");
        assert_eq!(largest, pairs(&[("five", "4"), ("four", "8"), ("other", "14")]));
        let attempts = by_queue(&retries, "marie_jobs_retry_attempts");
        assert_eq!(attempts, pairs(&[("five", "10"), ("four", "26"), ("other", "69")]));
    }
}

#[tokio::test]
async fn settings_of_single_queues_are_not_published_for_other() {
    for shape in WITH_QUEUES {
        let mut scheduler = scheduler(shape).await;
        scheduler.config.queues.limit = 2;
        let stuck = scheduler.series(&stuck::COLLECTOR).await;
        assert_eq!(
            by_queue(&stuck, "marie_stuck_threshold_seconds"),
            pairs(&[("five", "3600"), ("four", "3600")])
        );
        assert_eq!(
            by_queue(&stuck, "marie_jobs_stuck"),
            pairs(&[("five", "4"), ("four", "4"), ("other", "6")])
        );
        assert_eq!(queues_of(&scheduler.series(&queues::COLLECTOR).await), ["five", "four"]);
    }
}

#[tokio::test]
async fn excluded_queue_does_not_count_in_other() {
    let include = Regex::new("^(?:.*[eo].*)$").unwrap();
    let exclude = Regex::new("^(?:five|two)$").unwrap();
    for shape in Shape::ALL {
        let mut scheduler = scheduler(shape).await;
        scheduler.config.queues.include = Some(include.clone());
        scheduler.config.queues.exclude = Some(exclude.clone());
        let stuck = scheduler.series(&stuck::COLLECTOR).await;
        assert_eq!(queues_of(&stuck), ["four", "one", "three"]);
        scheduler.config.queues.limit = 1;
        let stuck = scheduler.series(&stuck::COLLECTOR).await;
        assert_eq!(by_queue(&stuck, "marie_jobs_stuck"), pairs(&[("four", "4"), ("other", "4")]));
    }
}

#[tokio::test]
async fn twin_queue_is_published_after_its_first_job() {
    for shape in WITH_QUEUES {
        let mut scheduler = scheduler(shape).await;
        let before = queues_of(&scheduler.series(&statistics::COLLECTOR).await);
        assert_eq!(before, ["five", "four", "one", "three", "two"]);
        let dag = Dag::new(2, "active", "ocr");
        let job = Job::new(100, "$two_dlq", &dag, "created");
        scheduler.insert(&[dag], &[job]).await;
        let after = queues_of(&scheduler.series(&statistics::COLLECTOR).await);
        assert_eq!(after, ["$two_dlq", "five", "four", "one", "three", "two"]);
        let info = queues_of(&scheduler.series(&queues::COLLECTOR).await);
        assert_eq!(info, after);
    }
}

#[tokio::test]
async fn queue_without_row_is_published_while_it_has_jobs() {
    for shape in WITH_QUEUES {
        let mut scheduler = scheduler(shape).await;
        scheduler.execute("delete from queue where name = 'one'").await;
        let jobs = scheduler.series(&statistics::COLLECTOR).await;
        assert_eq!(queues_of(&jobs), ["five", "four", "one", "three", "two"]);
        assert_eq!(queues_of(&scheduler.series(&queues::COLLECTOR).await), ["five", "four", "three", "two"]);
        scheduler.execute("delete from job where name = 'one'").await;
        let jobs = scheduler.series(&statistics::COLLECTOR).await;
        assert_eq!(queues_of(&jobs), ["five", "four", "three", "two"]);
    }
}

#[tokio::test]
async fn queue_limit_holds_before_the_first_inventory() {
    for shape in Shape::ALL {
        let mut scheduler = scheduler(shape).await;
        scheduler.config.queues.limit = 2;
        let seen = Seen { schema: scheduler.schema().await, queues: scheduler.no_queues() };
        let stuck = scheduler.series_of(&stuck::COLLECTOR, &seen).await;
        assert_eq!(
            by_queue(&stuck, "marie_jobs_stuck"),
            pairs(&[("five", "4"), ("four", "4"), ("other", "6")])
        );
    }
}

#[tokio::test]
async fn threshold_applies_to_queue_before_the_first_inventory() {
    for shape in Shape::ALL {
        let mut scheduler = scheduler(shape).await;
        let thresholds = [("four", 24), ("misspelt", 12)];
        scheduler.config.stuck_after_by_queue =
            thresholds.map(|(queue, hours)| (queue.to_owned(), Duration::from_secs(hours * 3600))).into();
        let seen = Seen { schema: scheduler.schema().await, queues: scheduler.no_queues() };
        let stuck = scheduler.series_of(&stuck::COLLECTOR, &seen).await;
        assert_eq!(
            by_queue(&stuck, "marie_jobs_stuck"),
            pairs(&[("five", "4"), ("four", "0"), ("one", "1"), ("three", "3"), ("two", "2")])
        );
        let threshold = ("marie_stuck_threshold_seconds", vec!["four".to_owned()]);
        assert_eq!(stuck[&threshold].to_string(), "86400");
    }
}

#[tokio::test]
async fn queue_created_after_the_inventory_is_counted() {
    for shape in WITH_QUEUES {
        let mut scheduler = scheduler(shape).await;
        let seen = scheduler.look().await;
        scheduler.create_queue("new", "{}").await;
        let dag = Dag::new(2, "active", "ocr");
        let job = Job { started: Some(-2 * HOUR), ..Job::new(100, "new", &dag, "active") };
        scheduler.insert(&[dag], &[job]).await;
        let stuck = scheduler.series_of(&stuck::COLLECTOR, &seen).await;
        assert_eq!(stuck[&("marie_jobs_stuck", vec!["new".to_owned()])].to_string(), "1");
    }
}
