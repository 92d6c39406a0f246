//! Every statement fits its declaration on every shape, by the column names and types that PostgreSQL reports when it
//! prepares the statement.

use std::collections::BTreeSet;

use marie_exporter::collect::collector::{Collector, Query};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::events;
use marie_exporter::collect::pace::PassKind;
use marie_exporter::demo::shape::Shape;
use marie_exporter::metrics::Family;
use sqlx::{Column, Statement, TypeInfo};

use crate::queries::scheduler::Scheduler;

/// Returns the collectors whose rows become samples: all except `events`, which counts rows.
fn sampling() -> impl Iterator<Item = &'static Collector> {
    COLLECTORS.iter().copied().filter(|collector| collector.name != events::COLLECTOR.name)
}

/// Returns the names and types of a prepared query's columns.
async fn columns(scheduler: &mut Scheduler, query: &Query) -> Vec<(String, String)> {
    let schema = scheduler.schema().await;
    let statement = query.statement(&schema);
    let prepared = scheduler.run.prepare(statement).await.unwrap();
    prepared
        .columns()
        .iter()
        .map(|column| (column.name().to_owned(), column.type_info().name().to_owned()))
        .collect()
}

/// Returns those of the families that a query fills; panics if its columns do not fit them.
async fn served(
    scheduler: &mut Scheduler,
    families: &[&'static Family],
    query: &Query,
) -> BTreeSet<&'static str> {
    let place = format!("{} on {}", query.sql.name, scheduler.shape.name());
    let columns = columns(scheduler, query).await;
    let names: BTreeSet<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), columns.len(), "{place} returns a column twice");

    let served: Vec<_> = families.iter().filter(|family| names.contains(family.name)).collect();
    for family in &served {
        for label in family.labels {
            assert!(names.contains(label), "{place} returns {} without its label {label}", family.name);
        }
    }
    for (name, data_type) in &columns {
        let is_value = served.iter().any(|family| family.name == name);
        let is_label = served.iter().any(|family| family.labels.contains(&name.as_str()));
        assert!(is_value || is_label, "{place} returns {name}, which is not declared");
        assert_eq!(data_type, if is_value { "FLOAT8" } else { "TEXT" }, "{place}: type of {name}");
    }
    served.iter().map(|family| family.name).collect()
}

#[tokio::test]
async fn every_query_returns_only_declared_families_and_labels() {
    let mut filled: BTreeSet<&str> = BTreeSet::new();
    let mut prepared: BTreeSet<&str> = BTreeSet::new();
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape).await;
        let schema = scheduler.schema().await;
        for collector in sampling() {
            for query in collector.queries.iter().filter(|query| query.lack(&schema).is_none()) {
                prepared.insert(query.sql.name);
                if query.pass.is_some() {
                    filled.extend(query.by_queue.iter().map(|family| family.name));
                    continue;
                }
                let served = served(&mut scheduler, collector.families, query).await;
                assert!(!served.is_empty(), "{} on {} fills no family", query.sql.name, shape.name());
                filled.extend(served);
            }
        }
        for kind in PassKind::ALL {
            let of_pass = |query: &&&Query| !query.by_queue.is_empty() && query.lack(&schema).is_none();
            for query in kind.statements().iter().filter(of_pass) {
                let served = served(&mut scheduler, query.by_queue, query).await;
                let declared = query.by_queue.iter().map(|family| family.name).collect();
                assert_eq!(served, declared, "{}", query.sql.name);
            }
        }
    }
    let declared = sampling().flat_map(|collector| collector.families).map(|family| family.name);
    assert_eq!(filled, declared.collect(), "a family that no query fills");
    let queries = sampling().flat_map(|collector| collector.queries).map(|query| query.sql.name);
    assert_eq!(prepared, queries.collect(), "a query that runs on no shape");
}

#[tokio::test]
async fn each_shape_lacks_only_the_listed_queries() {
    for (shape, lacking) in [
        (Shape::Old, ["lease_expired.sql", "last_start_finished.sql", "last_finish.sql"].as_slice()),
        (Shape::Mid, &["lease_expired.sql", "last_start_finished.sql", "last_finish.sql"]),
        (Shape::New, &[]),
        (
            Shape::Page,
            &[
                "lease_expired.sql",
                "dags.sql",
                "backlog.sql",
                "dag_progress.sql",
                "dags_finished.sql",
                "queues.sql",
                "last_start_finished.sql",
                "last_finish.sql",
                "last_history.sql",
                "last_maintenance.sql",
                "job_events.sql",
                "dag_events.sql",
            ],
        ),
    ] {
        let schema = Scheduler::new(shape).await.schema().await;
        let queries = COLLECTORS.iter().flat_map(|collector| collector.queries);
        let found: Vec<&str> =
            queries.filter(|query| query.lack(&schema).is_some()).map(|query| query.sql.name).collect();
        assert_eq!(found, lacking, "on {}", shape.name());
        assert_eq!(schema.shape(), shape.name());
    }
}
