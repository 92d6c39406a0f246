//! Databases with more partitions than one transaction may lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use marie_exporter::collect::collector::{Collector, Context, Division, Query, QuerySamples};
use marie_exporter::collect::collectors::{COLLECTORS, statistics};
use marie_exporter::collect::division;
use marie_exporter::collect::pace::PassKind;
use marie_exporter::collect::pass::Pass;
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::config::Config;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::{Failure, Plans, Reason, Session};
use marie_exporter::schema::{Lack, Schema};

use crate::support::databases::Database;
use crate::support::random_tables::filled;
use crate::support::running;

type Series = BTreeMap<(&'static str, Vec<String>), f64>;

fn series(
    collector: &'static Collector,
    query: &Query,
    parts: &[Vec<sqlx::postgres::PgRow>],
    queues: &QueueLabels,
) -> Series {
    let answers: Vec<QuerySamples> =
        parts.iter().map(|rows| collector.map_rows(query, rows, &mut queues.clone()).unwrap()).collect();
    let mut series = Series::new();
    for samples in QuerySamples::merged(&answers) {
        for (labels, value) in samples.iter() {
            series.insert((samples.family.name, labels.to_vec()), value.number());
        }
    }
    series
}

/// Adds queues whose jobs have no dependencies to those of [`filled`].
async fn filled_with_more_queues(shape: Shape, seed: f64) -> Database {
    let mut database = filled(shape, seed).await;
    for queue in ["load", "merge", "ocr", "zip"] {
        database
            .run(&format!(
                "select create_queue('{queue}', '{{}}');
                 insert into job (id, name, state, dag_id)
                 select md5('{queue}' || state)::uuid, '{queue}', state, (select id from dag order by id limit 1)
                 from unnest(array['created', 'completed']::job_state[]) as s (state)"
            ))
            .await;
    }
    database
}

/// Adds 64 queues whose jobs belong to the same DAGs. Each job waits for a job of the queue before.
async fn add_64_queues(database: &mut Database) {
    for queue in 1..=64 {
        database.run(&format!("select create_queue('q{queue}', '{{}}')")).await;
    }
    database
        .run(
            "insert into dag (id, name, state)
             select md5('shared' || n)::uuid, n::text, (array['active', 'active', 'completed'])[n % 3 + 1]
             from generate_series(1, 20) as n;
             insert into job (id, name, state, dag_id, retry_count, created_on, soft_sla)
             select
                 md5('job' || q || '.' || n)::uuid, 'q' || q,
                 (array['created', 'active', 'failed', 'completed', 'retry'])[(q * n) % 5 + 1]::job_state,
                 md5('shared' || n)::uuid, n % 3, now() - interval '1 day', now() - interval '1 hour' * (n - 5)
             from generate_series(1, 64) as q
             cross join generate_series(1, 19) as n;
             insert into job_dependencies (job_name, job_id, depends_on_name, depends_on_id)
             select 'q' || q, md5('job' || q || '.' || n)::uuid, 'q' || q - 1, md5('job' || q - 1 || '.' || n)::uuid
             from generate_series(2, 64) as q
             cross join generate_series(1, 19) as n",
        )
        .await;
}

async fn look(session: &mut Session, config: &Config) -> (Schema, QueueLabels) {
    let mut run = session.begin().await.unwrap();
    let name = &config.database.schema;
    let schema = Schema::read(&mut run, name).await.unwrap();
    let inventory = QueueInventory::read(&mut run, &schema, &config.queues).await.unwrap();
    let queues = QueueLabels::read(&mut run, &schema, &inventory, &config.queues).await.unwrap();
    session.finish(run, None).await;
    (schema, queues)
}

#[tokio::test]
async fn divided_query_equals_undivided_query() {
    for shape in [Shape::Old, Shape::Mid] {
        for seed in [0.3, 0.4] {
            let database = filled_with_more_queues(shape, seed).await;
            for limit in ["200", "2"] {
                let flag = format!("--queues.limit={limit}");
                let config = running::config(&database.url, &[&flag]);
                let mut session = Session::new(config.database.clone(), config.collectors.timeout);
                let (schema, queues) = look(&mut session, &config).await;
                let mut divided = schema.clone();
                divided.locks_allowed = 150;
                let mut compared = 0;
                for collector in COLLECTORS {
                    for query in
                        collector.wanted_queries(&config).filter(|query| query.lack(&schema).is_none())
                    {
                        let is_whole = query.pass.is_some() || query.division == Division::Whole;
                        if is_whole || !query.is_divided(&divided) {
                            continue;
                        }
                        let place = format!("{} on {}", query.sql.name, shape.name());
                        let fetch = async |session: &mut Session, schema: &Schema| {
                            let context = Context { config: &config, schema, queues: &queues };
                            division::fetch(session, query, &context).await.unwrap().parts.unwrap()
                        };
                        let whole = fetch(&mut session, &schema).await;
                        let parts = fetch(&mut session, &divided).await;
                        assert!(whole.len() == 1 && parts.len() > 2, "{place}: {} parts", parts.len());
                        let [whole, parts] =
                            [whole, parts].map(|parts| series(collector, query, &parts, &queues));
                        assert_eq!(parts, whole, "{place}, {flag}");
                        compared += whole.len();
                    }
                }
                assert!(compared > 10, "only {compared} series were compared");
            }
        }
    }
}

/// Runs a pass to its end, each slice in a transaction of its own. Returns what it feeds, and the number of slices.
async fn pass(
    session: &mut Session,
    kind: PassKind,
    slice: SliceSize,
    config: &Config,
    schema: &Schema,
    queues: &QueueLabels,
) -> Result<(Series, usize), Failure> {
    let mut pass = Pass::begin(kind, Arc::new(schema.clone()), queues.clone(), slice);
    let mut slices = 0;
    loop {
        let mut run = match pass.plans() {
            Plans::Custom => session.begin_planning_for_values().await?,
            Plans::Generic | Plans::Auto => session.begin().await?,
        };
        let outcome = pass.step(&mut run, config).await;
        session.finish(run, outcome.as_ref().err()).await;
        slices += 1;
        if outcome? {
            break;
        }
    }
    let mut series = Series::new();
    for (_, samples) in pass.into_samples() {
        for samples in samples.samples {
            let values = samples.iter().map(|(labels, value)| (labels.to_vec(), value.number()));
            series.extend(values.map(|(labels, value)| ((samples.family.name, labels), value)));
        }
    }
    Ok((series, slices))
}

#[tokio::test]
async fn divided_pass_equals_undivided_pass() {
    for shape in [Shape::Old, Shape::Mid] {
        for seed in [0.3, 0.4] {
            let mut database = filled_with_more_queues(shape, seed).await;
            if seed > 0.3 {
                add_64_queues(&mut database).await;
            }
            for limit in ["200", "2"] {
                let flag = format!("--queues.limit={limit}");
                let config = running::config(&database.url, &[&flag]);
                let mut session = Session::new(config.database.clone(), config.collectors.timeout);
                let (mut schema, queues) = look(&mut session, &config).await;
                let mut divided = schema.clone();
                divided.locks_allowed = 150;
                schema.locks_allowed = u64::MAX;
                let kind = PassKind::Backlog;
                let first = kind.first_slice();
                let (whole, slices) =
                    pass(&mut session, kind, first, &config, &schema, &queues).await.unwrap();
                assert_eq!(slices, 1);
                assert!(whole.len() > 40, "only {} series", whole.len());
                for slice in [first, SliceSize::new(1, 1, 1)] {
                    let (parts, slices) =
                        pass(&mut session, kind, slice, &config, &divided, &queues).await.unwrap();
                    assert_eq!(parts, whole, "{} with {flag}, {slices} slices", shape.name());
                    assert!(slices > 6, "{slices} slices");
                }
            }
        }
    }
}

#[tokio::test]
async fn parents_in_too_many_queues_fail_the_pass() {
    let database = filled(Shape::Mid, 0.3).await;
    let config = running::config(&database.url, &[]);
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let (mut schema, queues) = look(&mut session, &config).await;
    schema.locks_allowed = 80;
    let waiting = |query: &&Query| query.by_queue.iter().any(|family| family.name == "marie_jobs_ready");
    let query = statistics::COLLECTOR.queries.iter().find(waiting).unwrap();
    assert_eq!(query.lack(&schema), None, "the partition of each queue fits");
    let kind = PassKind::Backlog;
    let outcome = pass(&mut session, kind, kind.first_slice(), &config, &schema, &queues).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.reason, Reason::LockLimit, "{failure}");

    schema.locks_allowed = 40;
    assert!(
        matches!(query.lack(&schema), Some(Lack::Locks(_))),
        "no partition fits: {:?}",
        query.lack(&schema)
    );
}
