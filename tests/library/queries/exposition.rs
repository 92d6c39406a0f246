//! Snapshot tests of the exposition that each collector publishes for the tables of `scene`.
//!
//! Each collector has one snapshot for all shapes. If only some shapes have a line, it begins with their names.

use std::collections::BTreeSet;

use marie_exporter::collect::collector::Collector;
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::events;
use marie_exporter::collect::pace::Pace;
use marie_exporter::collect::snapshot::Snapshot;
use marie_exporter::demo::shape::Shape;
use tokio::time::{Duration, Instant};

use crate::queries::scene;
use crate::queries::scheduler::Scheduler;

/// Returns the exposition of these collectors.
pub(crate) async fn text(scheduler: &mut Scheduler, collectors: &[&Collector]) -> String {
    let seen = scheduler.look().await;
    let snapshot = Snapshot::default();
    let expires = Instant::now() + Duration::from_hours(1);
    for collector in collectors {
        for pace in Pace::ALL {
            let answers = scheduler.collect(pace, collector, &seen).await.unwrap();
            snapshot.replace(collector, pace, answers, expires).unwrap();
        }
    }
    let bytes = snapshot.page().0.iter().flat_map(|text| text.bytes.to_vec()).collect();
    String::from_utf8(bytes).unwrap()
}

/// Returns the lines with times as offsets from now and without sizes, so that they are the same in every run.
fn redacted(text: &str, now: i64) -> Vec<String> {
    let redacted = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let family = series.split('{').next().unwrap();
        if line.starts_with('#') {
            line.to_owned()
        } else if family.ends_with("_timestamp_seconds") {
            #[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970")]
            let offset = (value.parse::<f64>().unwrap() * 1e6).round() as i64 - now;
            format!("{series} now{:+}.{:06}", offset / 1_000_000, (offset % 1_000_000).abs())
        } else if family == "marie_table_size_bytes" {
            format!("{series} <bytes>")
        } else {
            line.to_owned()
        }
    };
    text.lines().map(redacted).collect()
}

/// Merges the lines of all shapes in order, each with the names of the shapes that have it.
fn merged(texts: &[(Shape, Vec<String>)]) -> String {
    let mut merged: Vec<(BTreeSet<usize>, &str)> = Vec::new();
    for (shape, (_, lines)) in texts.iter().enumerate() {
        let mut place = 0;
        for line in lines {
            match merged[place..].iter().position(|(_, known)| known == line) {
                Some(ahead) => place += ahead,
                None => merged.insert(place, (BTreeSet::new(), line)),
            }
            merged[place].0.insert(shape);
            place += 1;
        }
    }
    let marked = |(shapes, line): &(BTreeSet<usize>, &str)| {
        let names: Vec<&str> = shapes.iter().map(|&shape| texts[shape].0.name()).collect();
        let names = if names.len() == texts.len() { String::new() } else { names.join(" ") };
        format!("{names:12}| {line}\n")
    };
    merged.iter().map(marked).collect()
}

#[tokio::test]
async fn exposition_of_each_collector_matches_its_snapshot() {
    let mut schedulers = Vec::new();
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape).await;
        scheduler.config.dags_progress_limit = 2;
        scheduler.config.stuck_after_by_queue.insert(scene::UGLY.to_owned(), Duration::from_mins(4));
        scene::fill(&mut scheduler).await;
        schedulers.push(scheduler);
    }
    // Tests in `events` cover the events.
    for collector in COLLECTORS.iter().filter(|collector| collector.name != events::COLLECTOR.name) {
        let mut texts = Vec::new();
        for scheduler in &mut schedulers {
            let text = text(scheduler, &[collector]).await;
            texts.push((scheduler.shape, redacted(&text, scheduler.now)));
        }
        insta::assert_snapshot!(collector.name, merged(&texts));
    }
}
