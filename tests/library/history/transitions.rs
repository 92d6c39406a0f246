//! The pass beside a scheduler at work: each number is between what was true at the pass's beginning and at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::PgConnection;
use tokio::task::JoinSet;

use super::reader::{Reader, Series, assert_equal, truth};
use crate::support::databases::{self, Database};
use crate::support::long_tests::is_long_run;

/// One step of the scheduler: jobs are created, started and finished. Nothing leaves a finished state.
const STEP: &str = "
    insert into job (id, name, dag_id, data)
    select gen_random_uuid(), (array['extract', 'idle'])[1 + n % 2], md5('dag')::uuid, to_jsonb(repeat(md5(n::text), 20))
    from generate_series(1, 12) as n;
    update job set state = 'active', started_on = now()
    where (name, id) in (select name, id from job where state = 'created' limit 10 for update skip locked);
    update job set state = case when random() < 0.3 then 'failed' else 'completed' end::job_state, completed_on = now(),
        retry_count = floor(random() * 3)
    where (name, id) in (select name, id from job where state = 'active' limit 10 for update skip locked)";

/// The minute's refresh, which rewrites every job that is not completed.
const REFRESH: &str = "update job set priority = priority + 1
    where (name, id) in (select name, id from job where state <> 'completed' for update skip locked)";

async fn filled(shape: Shape) -> Database {
    let mut database = Database::new(shape).await;
    database
        .run(
            "alter table job disable trigger user;
             insert into job (id, name, dag_id, data, state, retry_count, completed_on)
             select gen_random_uuid(), (array['extract', 'idle'])[1 + n % 2], md5('dag')::uuid,
                 to_jsonb(repeat(md5(n::text), 20)),
                 (array['completed', 'completed', 'failed', 'cancelled'])[1 + n % 4]::job_state, n % 3,
                 now() - interval '2 hours' - n * interval '20 minutes'
             from generate_series(1, 4000) as n;
             analyze job",
        )
        .await;
    database
}

/// Repeats a script until it is stopped.
async fn repeat(mut session: PgConnection, script: &'static str, pause: Duration, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        databases::run(&mut session, script).await;
        tokio::time::sleep(pause).await;
    }
}

fn assert_between(found: &Series, before: &Series, after: &Series, place: &str) {
    for key in before.keys().chain(found.keys()).chain(after.keys()) {
        let [before, found, after] =
            [before, found, after].map(|series| series.get(key).copied().unwrap_or(0.0));
        assert!(before <= found && found <= after, "{place}: {key:?}: {found} is not in {before} to {after}");
    }
}

async fn assert_between_beginning_and_end(shape: Shape) {
    let mut database = filled(shape).await;
    let mut reader = Reader::new(&database.url).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut work = JoinSet::new();
    for (script, pause) in [
        (STEP, Duration::from_millis(2)),
        (STEP, Duration::from_millis(2)),
        (REFRESH, Duration::from_millis(20)),
        ("vacuum job", Duration::from_millis(150)),
    ] {
        work.spawn(repeat(database.session().await, script, pause, Arc::clone(&is_over)));
    }
    let lasts = if is_long_run() { Duration::from_mins(1) } else { Duration::from_secs(6) };
    let started = Instant::now();
    let (mut passes, mut slices, mut grown) = (0, 0, 0.0);
    while started.elapsed() < lasts || passes < 3 {
        let before = truth(&mut database.admin).await;
        let pass = reader.begin(8);
        let (found, count) = reader.rest(pass).await;
        let after = truth(&mut database.admin).await;
        assert_between(&found, &before, &after, shape.name());
        (passes, slices, grown) =
            (passes + 1, slices + count, grown + after.values().sum::<f64>() - before.values().sum::<f64>());
    }
    is_over.store(true, Ordering::Relaxed);
    work.join_all().await;
    assert!(
        slices > passes * 20 && grown > 100.0,
        "{passes} passes of {slices} slices beside {grown} changes"
    );
    let pass = reader.begin(8);
    let (found, _) = reader.rest(pass).await;
    assert_equal(&found, &truth(&mut database.admin).await, "at rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_over_partitions_are_between_beginning_and_end() {
    assert_between_beginning_and_end(Shape::Mid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_over_a_plain_table_are_between_beginning_and_end() {
    assert_between_beginning_and_end(Shape::New).await;
}
