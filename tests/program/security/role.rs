//! The role that `marie-exporter grants` creates can run every query of the exporter, on every shape.

use marie_exporter::demo::shape::Shape;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::databases::{Database, SERVER};
use crate::support::process::{Process, output, text};
use crate::support::scrape::{metrics, until, until_ready};

/// Prints the SQL for a role and runs it; returns the role's URL.
pub(crate) async fn grant(database: &mut Database, role: &str, flags: &[&str]) -> String {
    let printed = output(&[&["grants", "--database-url", &database.url, "--role", role], flags].concat());
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    database.run(&text(&printed.stdout)).await;
    // Some role names must be encoded in a URL.
    let encoded: Vec<String> = role.bytes().map(|byte| format!("%{byte:02X}")).collect();
    database.url.replace("postgres@", &format!("{}@", encoded.concat()))
}

pub(crate) fn server_is_at_least(version: u32) -> bool {
    let major = SERVER.version().split(|letter: char| !letter.is_ascii_digit()).next().unwrap();
    major.parse::<u32>().unwrap() >= version
}

pub(crate) fn check(url: &str, flags: &[&str]) -> Value {
    let output = output(&[&["check", "--format=json", "--database-url", url], flags].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

/// Returns the outcome of each query, by file.
fn results(report: &Value) -> Vec<(String, String)> {
    let collectors = report["collectors"].as_array().unwrap().iter();
    let queries = collectors.flat_map(|collector| collector["queries"].as_array().unwrap());
    queries.map(|query| (query["file"].to_string(), query["outcome"]["result"].to_string())).collect()
}

/// Writes events to both histories. Gaps between their ids make the counter read them in slices.
const EVENTS: &str = "
    select setval('job_history_history_id_seq', 200000), setval('dag_history_history_id_seq', 200000);
    insert into job (id, name, dag_id) values (gen_random_uuid(), 'extract', md5('dag')::uuid);
    update dag set state = 'completed', completed_on = now()";

#[tokio::test]
async fn granted_role_can_run_every_query_on_every_shape() {
    for shape in Shape::ALL {
        let mut database = Database::new(shape).await;
        let url = grant(&mut database, &format!("reader of {}", shape.name()), &[]).await;
        let progress = "--dags.progress-limit=9";

        let (report, owners) = (check(&url, &[progress]), check(&database.url, &[progress]));
        assert!(owners.to_string().contains("\"ran\""), "{owners:#}");
        assert_eq!(results(&report), results(&owners), "{report:#}");
        assert_eq!(report["grants"], Value::Null);
        assert_eq!(report["database"]["shape"], shape.name());
        for besides in ["writable", "readable_besides"] {
            assert_eq!(report["database"][besides], json!([]), "{}", shape.name());
        }

        let process = Process::serve(&url, &[progress]);
        until_ready(process.address());
        if shape != Shape::Page {
            database.run(EVENTS).await;
            let counted = |text: &str, family| {
                text.lines().any(|line| line.starts_with(family) && !line.ends_with(" 0"))
            };
            until(&format!("{}/metrics", process.address()), "the events are counted", |answer| {
                let text = answer.text();
                counted(&text, "marie_jobs_created_total{") && counted(&text, "marie_dag_run_seconds_count{")
            });
        }
        let metrics = metrics(process.address());
        assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{}", shape.name());
        assert_eq!(metrics.count("marie_collector_disabled_info", &[("reason", "permission")]), 0.0);
        let (_, _, log) = process.end("TERM");
        assert!(!log.contains("WARN") && !log.contains("may not be read"), "{log}");
    }
}

#[tokio::test]
async fn role_that_can_read_more_is_reported_and_revoked() {
    let mut database = Database::new(Shape::Mid).await;
    let url = database.reader("reads_more").await;
    let besides = check(&url, &[])["database"]["readable_besides"].to_string();
    for private in ["job.data", "job.output", "job_history.data", "dag.serialized_dag", "archive.data"] {
        assert!(besides.contains(&format!("\"{private}\"")), "{private} is not in {besides}");
    }
    for needed in ["job.name", "dag.planner", "xmin"] {
        assert!(!besides.contains(&format!("\"{needed}\"")), "{needed} is in {besides}");
    }
    let shown = output(&["check", "--database-url", &url]);
    assert_eq!(shown.status.code(), Some(0), "an excess right is no failure");
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("can only read, but also archive.") && shown.contains("GRANT SELECT ("),
        "{shown}"
    );

    grant(&mut database, "reads_more", &[]).await;
    let report = check(&url, &[]);
    assert_eq!(report["database"]["readable_besides"], json!([]));
    assert!(results(&report).iter().all(|(_, result)| result != "\"forbidden\""), "{report:#}");
}

#[tokio::test]
async fn sessions_lost_in_the_network_do_not_fill_role_limit() {
    let mut database = Database::new(Shape::New).await;
    // The same command upgrades the role of an older release.
    for _ in 0..2 {
        let url = grant(&mut database, "behind a firewall", &[]).await;
        let mut session = PgConnection::connect(&url).await.unwrap();
        for (setting, value) in
            [("tcp_keepalives_idle", "60"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3")]
        {
            // pg_settings shows the value of the session's socket.
            let shown: String = sqlx::query_scalar("select setting from pg_settings where name = $1")
                .bind(setting)
                .fetch_one(&mut session)
                .await
                .unwrap();
            assert_eq!(shown, value, "{setting}");
        }
    }
}

#[tokio::test]
async fn names_of_role_schema_and_database_are_quoted() {
    let mut database = Database::new(Shape::New).await;
    let schema = "o'br\"ien; drop schema 任务\n☃";
    database
        .run(&format!(
            "alter schema marie_scheduler rename to {}",
            marie_exporter::config::quote_identifier(schema)
        ))
        .await;
    let flags = ["--database.schema", schema];
    for role in ["Robert\"; drop table job; --", "$1 'röle\n☃"] {
        let url = grant(&mut database, role, &flags).await;
        let report = check(&url, &flags);
        assert_eq!(report["database"]["role"], role, "{report:#}");
        assert_eq!(report["database"]["readable_besides"], json!([]));
        assert_eq!(results(&report), results(&check(&database.url, &flags)));
    }
}

#[tokio::test]
async fn database_without_scheduler_gets_no_grants() {
    let database = Database::new(Shape::New).await;
    let refused = output(&["grants", "--database-url", &database.url, "--database.schema=elsewhere"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("no job table in the schema \"elsewhere\""));
    assert!(refused.stdout.is_empty());
    let role = "x".repeat(64);
    let refused = output(&["grants", "--database-url", &database.url, "--role", &role]);
    assert_eq!(refused.status.code(), Some(2));
}
