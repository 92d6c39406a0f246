//! Tables, columns, rights and queues that change while the exporter runs.

use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::running::Running;

async fn start(shape: Shape) -> (Database, Running) {
    let database = Database::new(shape).await;
    let mut running = Running::start(&database.url, &[]);
    running.until_fresh(&["statistics", "queues", "dags", "scheduler"]).await;
    (database, running)
}

fn disabled<'a>(collector: &'a str, reason: &'a str) -> [(&'a str, &'a str); 2] {
    [("collector", collector), ("reason", reason)]
}

#[tokio::test]
async fn dropped_optional_table_disables_its_collector() {
    let (mut database, mut running) = start(Shape::New).await;
    database.run("alter table queue rename to elsewhere").await;
    let gone = disabled("queues", "missing_table");
    let metrics = running
        .until("queues is disabled", |now| {
            now.value("marie_collector_disabled_info", &gone) == Some(1.0) && !now.has("marie_queue_info")
        })
        .await;
    assert_eq!(metrics.value("marie_collector_enabled", &gone[..1]), Some(0.0));
    running
        .until("it does not run", |now| {
            now.value("marie_collector_success", &[("collector", "queues"), ("pace", "backlog")]).is_none()
        })
        .await;
    running.until_fresh(&["statistics", "stuck", "scheduler"]).await;
    database.run("alter table elsewhere rename to queue").await;
    let metrics = running.until("queues is back", |now| now.has("marie_queue_info")).await;
    assert_eq!(metrics.value("marie_collector_enabled", &gone[..1]), Some(1.0));
    running.stop().await;
}

#[tokio::test]
async fn events_without_history_is_disabled_and_resumes() {
    let (mut database, mut running) = start(Shape::New).await;
    let finished = [("queue", "extract"), ("state", "failed")];
    let finish = "update job set state = 'failed', completed_on = now()";
    running
        .until("events are counted", |now| now.value("marie_jobs_finished_total", &finished).is_some())
        .await;
    database
        .run("alter table job_history rename to elsewhere; alter table job disable trigger record_job")
        .await;
    let gone = disabled("events", "missing_table");
    running
        .until("events is off", |now| {
            now.value("marie_collector_disabled_info", &gone) == Some(1.0)
                && !now.has("marie_jobs_finished_total")
        })
        .await;
    running.until_fresh(&["statistics", "stuck", "dags", "scheduler"]).await;
    database
        .run("alter table elsewhere rename to job_history; alter table job enable trigger record_job")
        .await;
    database.run(finish).await;
    running
        .until("the finish is counted", |now| now.value("marie_jobs_finished_total", &finished) == Some(1.0))
        .await;
    running.stop().await;
}

#[tokio::test]
async fn truncated_history_is_one_failure_with_its_reason() {
    let (mut database, mut running) = start(Shape::New).await;
    running.until("events are counted", |now| now.has("marie_jobs_finished_total")).await;
    database.run("update job set priority = 1").await;
    running.until_fresh(&["events"]).await;
    database.run("truncate job_history restart identity").await;
    let lost = [("collector", "events"), ("pace", "events"), ("reason", "history_lost")];
    running
        .until("the loss is counted", |now| now.count("marie_collector_failures_total", &lost) >= 1.0)
        .await;
    let before = running.metrics().count("marie_collector_failures_total", &lost);
    let after = running.until_fresh(&["events"]).await.count("marie_collector_failures_total", &lost);
    assert_eq!(before, after, "the failure is counted once");
    running.stop().await;
}

#[tokio::test]
async fn renamed_column_disables_only_the_query_that_reads_it() {
    let (mut database, mut running) = start(Shape::New).await;
    let stalled = |now: &Metrics| now.value("marie_dags_stalled", &[("reason", "no_jobs")]);
    running.until("stalled DAGs are counted", |now| stalled(now) == Some(0.0)).await;
    database.run("alter table dag rename column id to number").await;
    running.until("they are not counted", |now| stalled(now).is_none()).await;
    let metrics = running.until_fresh(&["queues", "stuck", "scheduler", "dags"]).await;
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    assert!(metrics.has("marie_dags"), "its collector's other queries need no such column");
    database.run("alter table dag rename column number to id").await;
    running.until("they are counted again", |now| stalled(now) == Some(0.0)).await;
    running.stop().await;
}

#[tokio::test]
async fn renamed_required_column_disables_its_collector() {
    let (mut database, mut running) = start(Shape::New).await;
    database.run("alter table queue rename column name to title").await;
    let gone = disabled("queues", "missing_table");
    running
        .until("queues is disabled", |now| now.value("marie_collector_disabled_info", &gone) == Some(1.0))
        .await;
    running.until_fresh(&["statistics", "stuck", "scheduler"]).await;
    let failures = |now: &Metrics| {
        now.count("marie_collector_failures_total", &[])
            - now.count("marie_collector_failures_total", &[("reason", "schema_changed")])
    };
    assert_eq!(failures(&running.metrics()), 0.0);
    database.run("alter table queue rename column title to name").await;
    running.until_fresh(&["queues"]).await;
    running.stop().await;
}

#[tokio::test]
async fn column_of_another_type_costs_at_most_one_run() {
    let (mut database, mut running) = start(Shape::New).await;
    database.run("alter table queue alter column retry_limit type bigint").await;
    let metrics = running.until_fresh(&["queues", "statistics"]).await;
    for collector in COLLECTORS {
        let failures = metrics.count("marie_collector_failures_total", &[("collector", collector.name)]);
        assert!(failures <= 1.0, "{}: {failures} failed runs", collector.name);
    }
    running.stop().await;
}

#[tokio::test]
async fn series_of_queue_deleted_with_its_jobs_disappear() {
    let (mut database, mut running) = start(Shape::New).await;
    running.until("both queues are there", |now| now.values("marie_queue_info", &[]).len() == 2).await;
    database.run("delete from queue where name = 'idle'").await;
    let idle = [("queue", "idle")];
    running.until("the idle queue is gone", |now| now.values("marie_jobs", &idle).is_empty()).await;
    database.run("delete from job; delete from queue").await;
    running
        .until("the other is gone", |now| {
            !now.has("marie_jobs") && !now.has("marie_queue_info") && !now.has("marie_jobs_stuck")
        })
        .await;
    running.stop().await;
}

/// Creates a role that may read everything except the revoked right; returns its URL.
async fn limited(database: &mut Database, role: &str, revoked: &str) -> String {
    let url = database.reader(role).await;
    database.run(&format!("revoke {revoked} from {role}")).await;
    url
}

#[tokio::test]
async fn role_without_queue_lacks_only_the_queues_collector() {
    let mut database = Database::new(Shape::New).await;
    let url = limited(&mut database, "without_queue", "select on marie_scheduler.queue").await;
    let mut running = Running::start(&url, &[]);
    let metrics = running.until_fresh(&["statistics", "stuck", "scheduler"]).await;
    assert_eq!(metrics.value("marie_collector_disabled_info", &disabled("queues", "permission")), Some(1.0));
    database.run("grant select on queue to without_queue").await;
    running.until_fresh(&["queues"]).await;
    database.run("revoke select on queue from without_queue").await;
    running.until("the revoked right is noticed", |now| !now.has("marie_queue_info")).await;
    running.until_fresh(&["statistics"]).await;
    running.stop().await;
}

#[tokio::test]
async fn role_without_dag_gets_no_number_of_ready_jobs() {
    let mut database = Database::new(Shape::New).await;
    // The DAG is finished, so its job is blocked. Without the DAG's row the job would look ready.
    database
        .run(
            "update dag set state = 'failed';
             insert into job (id, name, dag_id) values (gen_random_uuid(), 'extract', md5('dag')::uuid)",
        )
        .await;
    let url = limited(&mut database, "without_dag", "select on marie_scheduler.dag").await;
    let mut running = Running::start(&url, &[]);
    let metrics = running.until_fresh(&["statistics", "stuck"]).await;
    assert!(metrics.has("marie_jobs"));
    assert_eq!(metrics.value("marie_jobs_ready", &[("queue", "extract")]), None);
    assert_eq!(metrics.value("marie_collector_disabled_info", &disabled("dags", "permission")), Some(1.0));
    running.stop().await;
}

#[tokio::test]
async fn role_without_schema_usage_disables_collectors() {
    let mut database = Database::new(Shape::New).await;
    let url = limited(&mut database, "outsider", "usage on schema marie_scheduler").await;
    let mut running = Running::start(&url, &[]);
    let metrics = running
        .until("the collectors are disabled", |now| {
            now.value("marie_collector_disabled_info", &disabled("stuck", "permission")) == Some(1.0)
        })
        .await;
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    assert!(!metrics.has("marie_jobs"));
    running.stop().await;
}
