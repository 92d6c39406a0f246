//! `marie-exporter check`: its exit codes and its two formats.

use std::net::TcpListener;

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::support::databases::{Database, NO_INDEXES};
use crate::support::process::{output, text};

fn check(url: &str, flags: &[&str]) -> (Option<i32>, String) {
    let output = output(&[&["check", "--database-url", url], flags].concat());
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    (output.status.code(), text(&output.stdout))
}

fn check_json(url: &str, flags: &[&str]) -> (Option<i32>, Value) {
    let (code, printed) = check(url, &[&["--format=json"], flags].concat());
    (code, serde_json::from_str(&printed).unwrap())
}

/// Drops the indexes of `job` except its primary key.
#[tokio::test]
async fn check_passes_on_every_shape() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let database = Database::new(shape).await;
        let (code, printed) = check(&database.url, &[]);
        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.contains(&format!("(shape: {})", shape.name())), "{printed}");
        let (code, report) = check_json(&database.url, &[]);
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["error"], Value::Null);
        assert_eq!(report["grants"], Value::Null);
        assert_eq!(report["database"]["shape"], shape.name());
        assert_eq!(report["collectors"].as_array().map(Vec::len), Some(10));
    }
}

#[tokio::test]
async fn missing_right_or_table_is_named_with_exit_code_1() {
    let mut database = Database::new(Shape::New).await;
    let url = database.reader("without_dag").await;
    database.run("revoke select on dag from without_dag").await;
    let (code, printed) = check(&url, &[]);
    assert_eq!(code, Some(1));
    assert!(printed.contains("DENIED  dags.sql") && printed.contains("DENIED  backlog.sql"), "{printed}");
    assert!(printed.contains("role      without_dag, can only read, but also "), "{printed}");

    database.run("alter schema marie_scheduler rename to elsewhere").await;
    let (code, printed) = check(&database.url, &[]);
    assert_eq!(code, Some(1));
    assert!(printed.contains("is --database.schema right?"), "{printed}");
    assert!(!printed.contains("GRANT SELECT"), "no right is missing: {printed}");
    let (code, report) = check_json(&database.url, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(report["database"]["shape"], "none");
}

#[tokio::test]
async fn printed_grants_are_exactly_the_missing_ones() {
    for (shape, role) in [(Shape::Old, "missing of old"), (Shape::New, "missing new")] {
        let mut database = Database::new(shape).await;
        database.run(&format!("create role \"{role}\" login")).await;
        let url = database.url.replace("postgres@", &format!("{}@", role.replace(' ', "%20")));
        let (code, report) = check_json(&url, &[]);
        assert_eq!(code, Some(1), "{report}");
        let grants = report["grants"].as_str().unwrap();
        let (_, printed) = check(&url, &[]);
        assert!(grants.lines().all(|line| printed.contains(line)), "{grants} is not in {printed}");
        database.run(grants).await;
        let (code, report) = check_json(&url, &[]);
        assert_eq!((code, &report["grants"]), (Some(0), &Value::Null), "{report}");
        assert_eq!(report["database"]["writable"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn printed_role_has_all_needed_rights() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "create role writes_only login;
             grant usage on schema marie_scheduler to writes_only;
             grant insert on job to writes_only",
        )
        .await;
    let (_, report) = check_json(&database.url.replace("postgres@", "writes_only@"), &[]);
    database.run(report["database"]["role_sql"].as_str().unwrap()).await;
    let (code, printed) = check(&database.url.replace("postgres@", "marie_exporter@"), &[]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("role      marie_exporter, can read what the exporter needs and no more"),
        "{printed}"
    );
}

#[tokio::test]
async fn missing_index_is_advised_with_its_pace() {
    let mut database = Database::new(Shape::Mid).await;
    database.run(NO_INDEXES).await;
    let (code, report) = check_json(&database.url, &[]);
    assert_eq!(code, Some(0), "{report}");
    let advice = report["advice"].as_array().unwrap();
    let pace_of = |columns: &str| {
        let ours = advice.iter().find(|advice| advice["sql"].as_str().unwrap().contains(columns));
        ours.unwrap_or_else(|| panic!("no index on {columns}: {report}"))["pace"].as_str().unwrap()
    };
    // The slowest of the queries that an index serves is named: at the pulse or with the backlog.
    assert!(["pulse", "backlog"].contains(&pace_of("job (state)")), "{report}");
    assert_eq!(pace_of("job (id) WHERE"), "history");
    let (_, told) = check(&database.url, &[]);
    assert!(told.contains("ms at the pace history; this index would serve it"), "{told}");
}

#[tokio::test]
async fn index_is_advised_for_query_that_times_out() {
    let mut database = Database::new(Shape::Mid).await;
    database.run(NO_INDEXES).await;
    let url = database.reader("waiter").await;
    // Each read of a job takes a minute, as with millions of jobs.
    database
        .run(
            "alter table job rename to job_rows;
             create view job as select * from job_rows where (select true from pg_sleep(60));
             grant select on job to waiter",
        )
        .await;
    let (code, report) = check_json(&url, &["--collector.timeout=200ms"]);
    assert_eq!(code, Some(1), "{report}");
    let by_state = report["advice"].as_array().unwrap().iter().find(|advice| {
        advice["sql"].as_str().unwrap().contains("job (state)") && advice["seconds"] == Value::Null
    });
    assert!(by_state.is_some(), "{report:#}");
    let (_, told) = check(&url, &["--collector.timeout=200ms"]);
    assert!(told.contains("does not end in time at the pace "), "{told}");
}

#[tokio::test]
async fn query_switched_off_by_configuration_is_not_run() {
    let database = Database::new(Shape::New).await;
    for (flag, result) in [("--dags.progress-limit=0", "not_wanted"), ("--dags.progress-limit=1", "ran")] {
        let (code, report) = check_json(&database.url, &[flag]);
        assert_eq!(code, Some(0), "{report}");
        let collectors = report["collectors"].as_array().unwrap().iter();
        let mut queries = collectors.flat_map(|collector| collector["queries"].as_array().unwrap());
        let progress = queries.find(|query| query["file"] == "dag_progress.sql").unwrap();
        assert_eq!(progress["outcome"]["result"], result, "{flag}");
    }
}

#[test]
fn unavailable_or_silent_database_gives_exit_code_2() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("postgres://absent@{}/none", silent.local_addr().unwrap());
    for (url, reason) in
        [("postgres://absent@127.0.0.1:1/none", "refused"), (&silent, "no answer within 5 s")]
    {
        let (code, printed) = check(url, &[]);
        assert_eq!(code, Some(2), "{printed}");
        assert!(
            printed.contains("cannot connect to PostgreSQL at 127.0.0.1:") && printed.contains(reason),
            "{printed}"
        );
    }
    let (code, report) = check_json("postgres://absent@127.0.0.1:1/none", &[]);
    assert_eq!(code, Some(2));
    assert!(report["error"].is_string());
}
