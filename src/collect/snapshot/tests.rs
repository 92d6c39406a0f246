//! When samples replace others, expire, and are received by a scrape; on a paused clock.

use std::time::Duration;

use super::*;
use crate::collect::collectors::retries;
use crate::collect::collectors::statistics::COLLECTOR;

/// Returns the result of a query that found one job in this state.
fn job(query: &'static str, state: &str) -> Vec<QuerySamples> {
    let mut samples: Vec<Samples> = COLLECTOR.families.iter().map(|family| Samples::new(family)).collect();
    samples[0].insert(vec!["extract".to_owned(), state.to_owned()], 1.0).unwrap();
    vec![QuerySamples { query, samples }]
}

fn text(snapshot: &Snapshot) -> String {
    snapshot.remove_expired();
    let page = snapshot.page();
    String::from_utf8(page.0.iter().flat_map(|text| text.bytes.to_vec()).collect()).unwrap()
}

fn states(snapshot: &Snapshot) -> Vec<String> {
    let text = text(snapshot);
    let state = |line: &str| Some(line.split_once("state=\"")?.1.split('"').next()?.to_owned());
    text.lines().filter_map(state).collect()
}

#[tokio::test(start_paused = true)]
async fn parts_of_two_paces_merge_and_expire_separately() {
    let snapshot = Snapshot::default();
    let after = |seconds| Instant::now() + Duration::from_secs(seconds);
    snapshot.replace(&COLLECTOR, Pace::History, job("finished.sql", "completed"), after(30)).unwrap();
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("statistics.sql", "active"), after(10)).unwrap();
    assert_eq!(states(&snapshot), ["active", "completed"]);
    assert_eq!(text(&snapshot).matches("# TYPE marie_jobs ").count(), 1);
    assert_eq!(snapshot.series(), [("statistics", 2)]);

    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(states(&snapshot), ["completed"]);
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("statistics.sql", "retry"), after(10)).unwrap();
    assert_eq!(states(&snapshot), ["completed", "retry"]);
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(text(&snapshot), "");
    assert_eq!(snapshot.series(), [("statistics", 0)]);
}

#[tokio::test(start_paused = true)]
async fn expired_samples_are_withdrawn_without_a_scrape() {
    let snapshot = Snapshot::default();
    let after = |seconds| Instant::now() + Duration::from_secs(seconds);
    snapshot.replace(&COLLECTOR, Pace::History, job("finished.sql", "completed"), after(30)).unwrap();
    let started = Instant::now();
    let shorten = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        snapshot.replace(&COLLECTOR, Pace::Backlog, job("statistics.sql", "active"), after(9)).unwrap();
    };
    tokio::join!(snapshot.until_next_expiry(), shorten);
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    assert!(snapshot.page().0.is_empty(), "an expired sample is never on a page");
    assert_eq!(states(&snapshot), ["completed"]);
}

#[tokio::test(start_paused = true)]
async fn sum_of_two_paces_is_published_with_both_only() {
    let snapshot = Snapshot::default();
    let after = |seconds| Instant::now() + Duration::from_secs(seconds);
    let retried = |query: &'static str| {
        let mut samples: Vec<Samples> =
            retries::COLLECTOR.families.iter().map(|family| Samples::new(family)).collect();
        samples[0].insert(vec!["extract".to_owned()], 2.0).unwrap();
        vec![QuerySamples { query, samples }]
    };
    snapshot.replace(&retries::COLLECTOR, Pace::Backlog, retried("backlog.sql"), after(20)).unwrap();
    assert_eq!(text(&snapshot), "");
    snapshot.replace(&retries::COLLECTOR, Pace::History, retried("finished.sql"), after(10)).unwrap();
    assert!(text(&snapshot).contains("marie_jobs_retried{queue=\"extract\"} 4\n"), "{}", text(&snapshot));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(text(&snapshot), "");
}

#[tokio::test(start_paused = true)]
async fn first_scrape_is_kept_until_text_is_replaced() {
    let snapshot = Snapshot::default();
    let end = Instant::now() + Duration::from_mins(1);
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("statistics.sql", "active"), end).unwrap();
    let page = snapshot.page();
    assert!(!snapshot.was_scraped(&COLLECTOR), "the page was not sent");
    page.record_scrape();
    let first = snapshot.first_scrape(&COLLECTOR);
    assert_eq!(first, Some(Instant::now()));
    tokio::time::advance(Duration::from_secs(15)).await;
    snapshot.page().record_scrape();
    assert_eq!(snapshot.first_scrape(&COLLECTOR), first, "the second scrape does not move it");
    snapshot.remove(&COLLECTOR, Pace::History);
    assert_eq!(snapshot.first_scrape(&COLLECTOR), first, "there was nothing to remove");
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("statistics.sql", "retry"), end).unwrap();
    page.record_scrape();
    assert!(!snapshot.was_scraped(&COLLECTOR), "the scrape received an earlier text");
}

#[tokio::test(start_paused = true)]
async fn removing_one_pace_keeps_the_other() {
    let snapshot = Snapshot::default();
    let end = Instant::now() + Duration::from_secs(10);
    snapshot.replace(&COLLECTOR, Pace::History, job("finished.sql", "completed"), end).unwrap();
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("statistics.sql", "active"), end).unwrap();
    snapshot.remove(&COLLECTOR, Pace::History);
    assert_eq!(states(&snapshot), ["active"]);
    snapshot.remove(&COLLECTOR, Pace::Backlog);
    assert_eq!(text(&snapshot), "");
}

#[tokio::test(start_paused = true)]
async fn query_that_changes_paces_is_counted_once() {
    let snapshot = Snapshot::default();
    let end = Instant::now() + Duration::from_secs(10);
    snapshot.replace(&COLLECTOR, Pace::History, job("finished.sql", "completed"), end).unwrap();
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("finished.sql", "completed"), end).unwrap();
    assert!(text(&snapshot).contains("state=\"completed\"} 1\n"), "{}", text(&snapshot));
    // The result belongs to the backlog now.
    snapshot.remove(&COLLECTOR, Pace::History);
    assert_eq!(states(&snapshot), ["completed"]);
}

#[tokio::test(start_paused = true)]
async fn failed_run_keeps_unreached_results_until_expiry() {
    let snapshot = Snapshot::default();
    let after = |seconds| Instant::now() + Duration::from_secs(seconds);
    let both = || job("statistics.sql", "active").into_iter().chain(job("waiting.sql", "retry"));
    snapshot.replace(&COLLECTOR, Pace::Backlog, both().collect(), after(10)).unwrap();
    snapshot.update(&COLLECTOR, Pace::Backlog, job("statistics.sql", "created"), after(20)).unwrap();
    assert_eq!(states(&snapshot), ["created", "retry"]);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(states(&snapshot), ["created"]);
    snapshot.replace(&COLLECTOR, Pace::Backlog, job("waiting.sql", "retry"), after(10)).unwrap();
    assert_eq!(states(&snapshot), ["retry"], "a successful run replaces all results of its pace");
}
