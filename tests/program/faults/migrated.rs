//! The schema is migrated while the exporter reads it: columns, tables, states and partitions are added and removed.

use marie_exporter::demo::shape::Shape;

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::watch::Watch;

fn is_missing(metrics: &Metrics, collector: &str) -> bool {
    let labels = [("collector", collector), ("reason", "missing_table")];
    metrics.value("marie_collector_disabled_info", &labels) == Some(1.0)
}

#[tokio::test]
async fn dropped_column_disables_only_its_collector() {
    let mut database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &[]);
    database.run("alter table job drop column hard_sla cascade").await;
    let metrics = watch.until("the SLA collector is off", |now| {
        is_missing(now, "sla") && !now.has("marie_jobs_sla_overdue")
    });
    assert!(metrics.has("marie_jobs"));
    watch.recovers();
    database.run("alter table job add column hard_sla timestamptz").await;
    watch.until("it is on again", |now| !is_missing(now, "sla") && now.has("marie_jobs_sla_overdue"));
    watch.recovers();
    watch.end();
}

#[tokio::test]
async fn missing_job_table_disables_only_its_collectors() {
    let mut database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &[]);
    database.run("alter table job rename to job_elsewhere").await;
    let metrics = watch.until("what reads jobs is off", |now| {
        ["statistics", "stuck", "retries", "sla"].iter().all(|name| is_missing(now, name))
            && !now.has("marie_jobs")
    });
    assert_eq!(metrics.value("marie_up", &[]), Some(1.0));
    database.run("alter table job_elsewhere rename to job").await;
    watch.until("all are on again", |now| !now.has("marie_collector_disabled_info") && now.has("marie_jobs"));
    watch.recovers();
    watch.end();
}

#[tokio::test]
async fn added_state_counts_as_finished() {
    let mut database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &[]);
    database.run("alter type job_state add value 'paused'").await;
    database.run("update job set state = 'paused'").await;
    let paused = [("queue", "extract"), ("state", "paused")];
    watch.until("the job is counted", |now| now.value("marie_jobs", &paused) == Some(1.0));
    let idle = [("queue", "idle"), ("state", "paused")];
    watch.until("the state is known", |now| now.value("marie_jobs", &idle) == Some(0.0));
    assert_eq!(watch.recovers().count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
    let log = watch.end();
    assert!(log.contains("a job state that this exporter does not know"), "{log}");
}

#[tokio::test]
async fn attached_or_detached_partition_changes_the_job_count() {
    let mut database = Database::new(Shape::Old).await;
    let watch = Watch::serve(&database.url, &[]);
    database
        .run(
            "select create_queue('late', '{}');
             insert into job (id, name, dag_id) values (gen_random_uuid(), 'late', md5('dag')::uuid)",
        )
        .await;
    let waiting = |now: &Metrics| now.value("marie_jobs", &[("queue", "late"), ("state", "created")]);
    watch.until("the new partition's job is counted", |now| waiting(now) == Some(1.0));
    let partition = "j' || encode(sha224('late'), 'hex')";
    let alter = |how: &str, values: &str| {
        format!("do $$ begin execute 'alter table job {how} partition {partition} || '{values}'; end $$")
    };
    database.run(&alter("detach", "")).await;
    watch.until("it is gone with its partition", |now| waiting(now) == Some(0.0));
    watch.recovers();
    database.run(&alter("attach", " for values in (''late'')")).await;
    watch.until("it is back", |now| waiting(now) == Some(1.0));
    assert_eq!(watch.recovers().count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
    watch.end();
}
