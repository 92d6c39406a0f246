//! The exposition passes Prometheus's linter, and an independent parser reads the same samples.

use std::collections::BTreeMap;

use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::demo::shape::Shape;

use crate::queries::exposition::text;
use crate::queries::scene;
use crate::queries::scheduler::Scheduler;
use crate::support::check_metrics::promtool;

async fn scheduler(shape: Shape) -> Scheduler {
    let mut scheduler = Scheduler::new(shape).await;
    scheduler.config.dags_progress_limit = 5;
    scene::fill(&mut scheduler).await;
    scheduler
}

#[tokio::test]
async fn promtool_accepts_metrics_of_every_shape() {
    assert_ne!(promtool("marie_things 1\n"), "", "promtool does not report a missing HELP");
    for shape in Shape::ALL {
        let text = text(&mut scheduler(shape).await, COLLECTORS).await;
        assert_eq!(promtool(&text), "", "on {}:\n{text}", shape.name());
    }
}

/// Returns a label value with escapes, because the parser does not unescape values.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[tokio::test]
async fn independent_parser_reads_the_same_samples() {
    for shape in Shape::ALL {
        let mut scheduler = scheduler(shape).await;
        let mut ours: BTreeMap<(String, BTreeMap<String, String>), String> = BTreeMap::new();
        for collector in COLLECTORS {
            for ((name, values), value) in scheduler.series(collector).await {
                let family = collector.families.iter().find(|family| family.name == name).unwrap();
                let labels = family.labels.iter().map(ToString::to_string);
                let labels = labels.zip(values.iter().map(|value| escaped(value))).collect();
                ours.insert((name.to_owned(), labels), value.to_string());
            }
        }
        let text = text(&mut scheduler, COLLECTORS).await;
        let scrape = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        let theirs = scrape.samples.into_iter().map(|sample| {
            let prometheus_parse::Value::Gauge(value) = sample.value else {
                panic!("{} is not a gauge", sample.metric)
            };
            let labels = sample.labels.iter().map(|(name, value)| (name.clone(), value.clone()));
            ((sample.metric, labels.collect()), value.to_string())
        });
        assert_eq!(theirs.collect::<BTreeMap<_, _>>(), ours, "on {}", shape.name());
        assert!(ours.len() > 50);
    }
}
