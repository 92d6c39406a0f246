//! Columns that some shapes lack: each query runs without them or is skipped with the reason.
//!
//! The server never rejects a statement because of a missing column.

use std::collections::BTreeSet;

use marie_exporter::collect::collector::Query;
use marie_exporter::collect::collectors::dags;
use marie_exporter::collect::pace::PassKind;
use marie_exporter::collect::pass;
use marie_exporter::demo::shape::Shape;
use marie_exporter::inspect;
use marie_exporter::schema::Need;
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::queries::scheduler::{Scheduler, Seen};
use crate::support::long_tests::is_long_run;

const TABLES: [&str; 9] = [
    "job",
    "job_history",
    "job_dependencies",
    "job_attempt",
    "dag",
    "dag_history",
    "queue",
    "archive",
    "version",
];

fn queries() -> impl Iterator<Item = &'static Query> {
    pass::statements().chain(inspect::queries())
}

/// Returns the skipped queries, and the queries on this table that the server rejects.
async fn skipped_and_rejected(
    scheduler: &mut Scheduler,
    table: &str,
) -> (BTreeSet<&'static str>, Vec<String>) {
    let schema = scheduler.schema().await;
    let (mut skipped, mut rejected) = (BTreeSet::new(), Vec::new());
    if schema.lack(&Need::Columns("job", &["name", "state"])).is_none() {
        let queues = scheduler.queues(&schema).await;
        let seen = Seen { schema: schema.clone(), queues };
        for kind in PassKind::ALL {
            scheduler.execute("savepoint pass").await;
            if let Err(message) = scheduler.try_pass(kind, kind.first_slice(), &seen).await {
                scheduler.execute("rollback to savepoint pass").await;
                rejected.push(message);
            }
        }
    }
    for query in queries() {
        if query.lack(&schema).is_some() {
            skipped.insert(query.sql.name);
            continue;
        }
        if query.pass.is_some() {
            continue;
        }
        let text = query.text(&schema);
        if !text.contains(table) {
            continue;
        }
        scheduler.execute("savepoint prepared").await;
        let statement = AssertSqlSafe(text).into_sql_str();
        if let Err(failure) = scheduler.try_prepare(statement).await {
            scheduler.execute("rollback to savepoint prepared").await;
            rejected.push(format!("{}: {failure}", query.sql.name));
        }
    }
    (skipped, rejected)
}

#[tokio::test]
async fn missing_column_never_causes_a_server_error() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        let (always, _) = skipped_and_rejected(&mut scheduler, "job").await;
        let mut failed = Vec::new();
        let mut dropped = 0;
        for table in TABLES {
            for (place, column) in scheduler.columns(table).await.into_iter().enumerate() {
                // The short run takes every third column of the older shapes, and whatever is optional.
                let is_optional = OPTIONAL.contains(&(table, column.as_str()));
                if !is_long_run() && shape != Shape::New && !is_optional && place % 3 != 0 {
                    continue;
                }
                if shape != Shape::New && (table, column.as_str()) == ("job", "name") {
                    // The table is partitioned by it.
                    continue;
                }
                scheduler.savepoint().await;
                scheduler.execute(&format!("alter table {table} drop column \"{column}\" cascade")).await;
                let (skipped, rejected) = skipped_and_rejected(&mut scheduler, table).await;
                failed.extend(rejected.into_iter().map(|query| format!("{table}.{column}: {query}")));
                if is_optional {
                    // A section of `jobs show` that only some databases have.
                    let more: Vec<_> =
                        skipped.difference(&always).filter(|name| **name != "show/leases.sql").collect();
                    assert!(more.is_empty(), "{} without {table}.{column}: {more:?}", shape.name());
                }
                dropped += 1;
                scheduler.roll_back().await;
            }
        }
        let least = if is_long_run() || shape == Shape::New { 80 } else { 25 };
        assert!(dropped > least, "{dropped} columns on {}", shape.name());
        assert!(failed.is_empty(), "{}: {}", shape.name(), failed.join("\n"));
    }
}

/// Columns without which every query still runs.
const OPTIONAL: [(&str, &str); 12] = [
    ("dag", "planner"),
    ("dag_history", "planner"),
    ("dag", "started_on"),
    ("dag", "soft_sla"),
    ("dag", "created_on"),
    ("job_history", "soft_sla"),
    ("job", "start_after"),
    ("job", "expire_in"),
    ("job", "job_level"),
    ("job", "run_owner"),
    ("job", "lease_expires_at"),
    ("queue", "policy"),
];

#[tokio::test]
async fn dags_without_planner_column_have_planner_unknown() {
    let mut scheduler = Scheduler::new(Shape::Old).await;
    assert!(!scheduler.columns("dag").await.contains(&"planner".to_owned()), "the shape has planners");
    scheduler
        .execute(
            "insert into dag (id, name, state, started_on) values
                 (gen_random_uuid(), 'a', 'active', '2026-11-25 08:00:00+00'),
                 (gen_random_uuid(), 'b', 'completed', null)",
        )
        .await;
    let series = scheduler.series(&dags::COLLECTOR).await;
    let count = |state: &str| series[&("marie_dags", vec!["unknown".to_owned(), state.to_owned()])];
    let counts = ["active", "completed", "failed"].map(|state| count(state).to_string());
    assert_eq!(counts, ["1", "1", "0"]);
    let oldest = series[&("marie_oldest_active_dag_timestamp_seconds", Vec::new())];
    assert_eq!(oldest.to_string(), "1795593600");
}
