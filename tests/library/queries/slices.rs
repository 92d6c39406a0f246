//! A pass in tiny slices returns the same samples as one statement.

use std::collections::BTreeMap;

use marie_exporter::collect::collector::definition::WAITING_JOB;
use marie_exporter::collect::collector::{Context, Division, Optional, Query, SqlFile};
use marie_exporter::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use marie_exporter::collect::pace::{Pace, PassKind};
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::demo::shape::Shape;
use marie_exporter::schema::Need;
use sqlx::Row;
use sqlx::postgres::PgArguments;

use crate::queries::random;
use crate::queries::scheduler::{Scheduler, Seen};

const SCENES: u64 = 12;

/// One DAG a slice.
const TINY: SliceSize = SliceSize::new(1, 1, 1);

type Values = BTreeMap<(&'static str, Vec<String>), String>;

/// Returns everything that a pass feeds, and the number of its slices.
async fn values(scheduler: &mut Scheduler, slice: SliceSize, seen: &Seen) -> (Values, usize) {
    let (fed, slices) = scheduler.try_pass(PassKind::Backlog, slice, seen).await.unwrap();
    let samples = fed.into_iter().flat_map(|(_, samples)| samples.samples);
    let mut values = Values::new();
    for samples in samples {
        for (labels, value) in samples.iter() {
            values.insert((samples.family.name, labels.to_vec()), value.number().to_string());
        }
    }
    (values, slices)
}

async fn assert_slices_equal_one_statement(shape: Shape) {
    let mut scheduler = Scheduler::new(shape).await;
    random::create_queues(&mut scheduler).await;
    let mut most = 0;
    for seed in 100..100 + SCENES {
        scheduler.savepoint().await;
        random::fill(&mut scheduler, seed).await;
        for limit in [200, 2] {
            scheduler.config.queues.limit = limit;
            let seen = scheduler.look().await;
            let first = PassKind::Backlog.first_slice();
            let (whole, count) = values(&mut scheduler, first, &seen).await;
            assert_eq!(count, 1);
            let (sliced, count) = values(&mut scheduler, TINY, &seen).await;
            assert_eq!(sliced, whole, "seed {seed} on {}, limit {limit}, {count} slices", shape.name());
            most = most.max(count);
        }
        scheduler.roll_back().await;
    }
    assert!(most > 10, "at most {most} slices");
}

#[tokio::test]
async fn old_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::Old).await;
}

#[tokio::test]
async fn mid_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::Mid).await;
}

#[tokio::test]
async fn new_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::New).await;
}

#[tokio::test]
async fn page_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::Page).await;
}

/// The rule that lists of jobs apply row by row.
static ROW_BY_ROW: Query = Query {
    sql: SqlFile {
        name: "row_by_row.sql",
        text: "select
            name::text as queue, coalesce(reason, case when is_deferred then 'deferred' else 'ready' end) as verdict,
            count(*)::float8 as jobs, extract(epoch from min(ready_since))::float8 as oldest
            from waiting_job group by 1, 2",
    },
    pace: Pace::Pulse,
    pass: None,
    wanted: |_| true,
    by_queue: &[],
    optional: &[
        Optional { table: "job", need: Need::Columns("job", &["start_after"]), data_type: "timestamptz" },
        Optional { table: "job", need: Need::Columns("job", &["dag_id"]), data_type: "uuid" },
    ],
    needs: &[],
    fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
    definitions: &[WAITING_JOB],
    index: None,
    division: Division::Whole,
    arguments: |_| Ok(PgArguments::default()),
};

#[tokio::test]
async fn rule_of_the_pass_equals_the_rule_row_by_row() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape).await;
        random::create_queues(&mut scheduler).await;
        let mut compared = 0;
        for seed in 200..200 + SCENES {
            scheduler.savepoint().await;
            random::fill(&mut scheduler, seed).await;
            let seen = scheduler.look().await;
            let (passed, _) = values(&mut scheduler, TINY, &seen).await;
            let context = Context { config: &scheduler.config, schema: &seen.schema, queues: &seen.queues };
            for row in ROW_BY_ROW.fetch(&mut scheduler.run, &context).await.unwrap() {
                let (queue, verdict): (String, String) = (row.get("queue"), row.get("verdict"));
                let key = match verdict.as_str() {
                    "ready" => ("marie_jobs_ready", vec![queue.clone()]),
                    "deferred" => ("marie_jobs_deferred", vec![queue.clone()]),
                    _ => ("marie_jobs_blocked", vec![queue.clone(), verdict.clone()]),
                };
                let place = format!("{key:?}, seed {seed} on {}", shape.name());
                assert_eq!(passed[&key], row.get::<f64, _>("jobs").to_string(), "{place}");
                if verdict == "ready" {
                    let oldest = &passed[&("marie_oldest_ready_job_timestamp_seconds", vec![queue])];
                    assert_eq!(*oldest, row.get::<f64, _>("oldest").to_string(), "{place}");
                }
                compared += 1;
            }
            scheduler.roll_back().await;
        }
        assert!(compared > 50, "{compared} verdicts on {}", shape.name());
    }
}

/// One job with thousands of parents, and one parent of thousands of jobs.
#[tokio::test]
async fn wide_dependencies_are_judged_once_for_each_job() {
    let mut scheduler = Scheduler::new(Shape::Mid).await;
    for queue in ["extract", "load"] {
        scheduler.create_queue(queue, "{}").await;
    }
    scheduler
        .execute(
            "insert into dag (id, name, state)
             select md5('dag' || n)::uuid, n::text, 'active' from generate_series(1, 3) as n;
             set local session_replication_role = replica;
             insert into job (id, name, state, dag_id)
             select md5('job' || n)::uuid, case when n % 2 = 0 then 'extract' else 'load' end,
                 (case when n <= 2000 then 'completed' else 'created' end)::job_state, md5('dag' || n % 3 + 1)::uuid
             from generate_series(1, 6000) as n;
             -- Job 6000 waits for all others; jobs 2001 to 4000 wait for the completed job 1, later ones for job 2001.
             insert into job_dependencies (job_name, job_id, depends_on_name, depends_on_id)
             select 'extract', md5('job6000')::uuid, p.name, p.id from job as p where p.id <> md5('job6000')::uuid
             union all
             select c.name, c.id, 'load', md5(case when n <= 4000 then 'job1' else 'job2001' end)::uuid
             from generate_series(2001, 5999) as n
             join job as c on c.id = md5('job' || n)::uuid",
        )
        .await;
    let seen = scheduler.look().await;
    for slice in [PassKind::Backlog.first_slice(), SliceSize::new(1, 1, 1)] {
        let (values, _) = values(&mut scheduler, slice, &seen).await;
        let sum = |family: &str| -> f64 {
            let of_family = values.iter().filter(|((name, _), _)| *name == family);
            of_family.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
        };
        assert_eq!((sum("marie_jobs_ready"), sum("marie_jobs_blocked")), (2000.0, 2000.0));
        assert_eq!(sum("marie_dags_stalled").to_string(), "0");
    }
}
