//! The lists of stuck, ready and overdue jobs have as many rows as the metrics count, with thresholds by queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collector::{Collector, Context, QuerySamples};
use marie_exporter::collect::collectors::{sla, statistics, stuck};
use marie_exporter::collect::pace::{Pace, PassKind};
use marie_exporter::collect::pass::Pass;
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::config::Config;
use marie_exporter::demo::shape::Shape;
use marie_exporter::inspect;
use marie_exporter::postgres::Session;
use marie_exporter::schema::Schema;

use sqlx::{AssertSqlSafe, Row};

use crate::inspect::in_process;
use crate::support::databases::Database;
use crate::support::random_tables::filled;

fn config(url: &str, file: &str) -> Config {
    let arguments = ["marie-exporter", "serve", "--database-url", url, "--config.file", file];
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Serve(config)) => config,
        other => panic!("not serve: {other:?}"),
    }
}

/// Returns the values of a family above zero, by queue. If the family has a second label, only series with its value
/// `last` count.
async fn metric(
    config: &Config,
    collector: &Collector,
    family: &str,
    last: Option<&str>,
) -> BTreeMap<String, usize> {
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut run = session.begin().await.unwrap();
    let name = &config.database.schema;
    let schema = Schema::read(&mut run, name).await.unwrap();
    let inventory = QueueInventory::read(&mut run, &schema, &config.queues).await.unwrap();
    let queues = QueueLabels::read(&mut run, &schema, &inventory, &config.queues).await.unwrap();
    let context = Context { config, schema: &schema, queues: &queues };
    let mut answers = Vec::new();
    for pace in [Pace::Pulse, Pace::Backlog] {
        collector.collect(pace, &mut run, &context, &mut answers).await.unwrap();
    }
    let backlog = PassKind::Backlog;
    let mut pass = Pass::begin(backlog, Arc::new(schema), queues, backlog.first_slice());
    while !pass.step(&mut run, config).await.unwrap() {}
    answers.extend(
        pass.into_samples().filter(|(fed, _)| fed.name == collector.name).map(|(_, samples)| samples),
    );
    let merged = QuerySamples::merged(&answers);
    let samples = merged.iter().find(|samples| samples.family.name == family).unwrap();
    let wanted = samples.iter().filter(|(labels, _)| last.is_none_or(|last| labels[1] == last));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of jobs")]
    let counts = wanted.map(|(labels, value)| (labels[0].clone(), value.number() as usize));
    counts.filter(|(_, count)| *count > 0).collect()
}

async fn listed(url: &str, words: &[&str]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for queue in in_process::column(url, words, "queue").await {
        *counts.entry(queue.as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

/// Returns the counts of `top` above zero, by queue.
async fn counted_by_top(
    database: &mut Database,
    config: &Config,
    file: &str,
    column: &str,
) -> BTreeMap<String, usize> {
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut run = session.begin().await.unwrap();
    let schema = Schema::read(&mut run, &config.database.schema).await.unwrap();
    session.finish(run, None).await;
    let query = inspect::queries().find(|query| query.sql.name == file).unwrap();
    let text = query.text(&schema);
    let mut statement = sqlx::query(AssertSqlSafe(text)).persistent(false);
    if file == "queues.sql" {
        let (queues, thresholds): (Vec<&str>, Vec<f64>) = config
            .stuck_after_by_queue
            .iter()
            .map(|(queue, threshold)| (queue.as_str(), threshold.as_secs_f64()))
            .unzip();
        statement = statement.bind(queues).bind(thresholds).bind(config.stuck_after.as_secs_f64());
    }
    if file == "ready.sql" {
        statement = statement.bind(None::<Vec<String>>);
    }
    let rows = statement.fetch_all(&mut database.admin).await.unwrap();
    let counts =
        rows.iter().map(|row| (row.get("queue"), usize::try_from(row.get::<i64, _>(column)).unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn stuck_and_ready_jobs_equal_the_metrics() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "stuck.after: 40m\nqueues:\n  classify: {stuck_after: 10m}\n  extract: {stuck_after: 4h}\n",
    )
    .unwrap();
    let file = file.path().to_str().unwrap();
    for shape in Shape::ALL {
        for seed in [0.1, 0.2] {
            let mut database = filled(shape, seed).await;
            let config = config(&database.url, file);
            let stuck = metric(&config, &stuck::COLLECTOR, "marie_jobs_stuck", None).await;
            assert!(stuck.len() > 2, "{stuck:?}");
            assert_eq!(
                listed(&database.url, &["jobs", "stuck", "--config.file", file]).await,
                stuck,
                "on {}",
                shape.name()
            );
            assert_eq!(
                counted_by_top(&mut database, &config, "queues.sql", "stuck").await,
                stuck,
                "on {}",
                shape.name()
            );
            let ready = metric(&config, &statistics::COLLECTOR, "marie_jobs_ready", None).await;
            assert!(ready.len() > 2, "{ready:?}");
            assert_eq!(
                listed(&database.url, &["jobs", "next", "--config.file", file]).await,
                ready,
                "on {}",
                shape.name()
            );
            assert_eq!(
                counted_by_top(&mut database, &config, "ready.sql", "ready").await,
                ready,
                "on {}",
                shape.name()
            );
        }
    }
}

#[tokio::test]
async fn overdue_jobs_equal_the_metric() {
    for shape in Shape::ALL {
        let mut database = filled(shape, 0.3).await;
        database
            .run(
                "update job set
                     hard_sla = created_on + (array[-1, 0, 1, 60, 6000, null])[1 + floor(random() * 6)] * interval '1 minute',
                     soft_sla = created_on + (array[-1, 0, 1, 30, 3000, null])[1 + floor(random() * 6)] * interval '1 minute'",
            )
            .await;
        let file = tempfile::NamedTempFile::new().unwrap();
        let config = config(&database.url, file.path().to_str().unwrap());
        for which in ["hard", "soft"] {
            let counted = metric(&config, &sla::COLLECTOR, "marie_jobs_sla_overdue", Some(which)).await;
            assert!(counted.len() > 2, "{counted:?}");
            let words = ["jobs", "overdue", "--sla", which];
            assert_eq!(listed(&database.url, &words).await, counted, "{which} on {}", shape.name());
        }
    }
}
