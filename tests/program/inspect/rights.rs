//! Reading commands need no more rights than `grants` gives, write nothing, and end at the time-out.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;

use crate::inspect::in_process;
use crate::inspect::printed::commands;
use crate::support::databases::Database;
use crate::support::process::{output, text};
use crate::support::random_tables::filled;

/// Returns the URL of a role that has exactly the rights that `grants` prints.
async fn granted(database: &mut Database, role: &str) -> String {
    let printed = output(&["grants", "--database-url", &database.url, "--role", role]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    database.run(&text(&printed.stdout)).await;
    database.url.replace("postgres@", &format!("{role}@"))
}

#[tokio::test]
async fn granted_role_runs_all_commands_but_reads_no_payload() {
    for shape in Shape::ALL {
        let mut database = filled(shape, 0.5).await;
        let url = granted(&mut database, &format!("operator_{}", shape.name())).await;
        let job = in_process::column(&url, &["jobs", "list"], "id").await[0].as_str().unwrap().to_owned();
        let dag = in_process::column(&url, &["jobs", "list"], "dag_id").await[0].as_str().unwrap().to_owned();
        for words in commands(shape, &job, &dag) {
            let text = in_process::text(&url, &words).await;
            assert!(!text.contains("could not be read"), "{words:?} on {}: {text}", shape.name());
            // Only the lines are compared, because ages grow meanwhile.
            let owners = in_process::text(&database.url, &words).await;
            assert_eq!(text.lines().count(), owners.lines().count(), "{words:?} on {}", shape.name());
        }
        let missing = ["jobs", "show", "00000000-0000-4000-8000-000000000001"];
        let error = in_process::run(&url, &missing).await.unwrap_err().to_string();
        assert!(error.contains("purged or never existed") && !error.contains("could not"), "{error}");
        for words in [
            &["jobs", "list", "--metadata=doc_type=invoice"] as &[&str],
            &["jobs", "show", &job, "--payload"],
        ] {
            assert!(in_process::run(&database.url, words).await.is_ok());
            let error = in_process::run(&url, words).await.unwrap_err().to_string();
            assert!(error.contains("column job.data may not be read"), "{error}");
            assert!(error.contains("payloads need another role"), "{error}");
        }
    }
}

#[tokio::test]
async fn missing_grant_is_named_and_the_rest_is_shown() {
    let mut database = filled(Shape::New, 0.5).await;
    let url = granted(&mut database, "operator_of_old").await;
    database.run("revoke select (dependencies) on job from operator_of_old").await;
    let job = in_process::column(&url, &["jobs", "list"], "id").await[0].as_str().unwrap().to_owned();
    let shown = in_process::text(&url, &["jobs", "show", &job]).await;
    assert!(
        shown.contains(
            "\nPARENTS\ncould not be read: show/parents.sql: column job.dependencies may not be read"
        ),
        "{shown}"
    );
    assert!(shown.contains("marie-exporter grants") && shown.contains("\nCHILDREN\n"), "{shown}");
}

/// Replaces the table of DAGs with a view that calls a function.
async fn trap(database: &mut Database, body: &str) {
    database
        .run(&format!(
            "create table trace (n int);
             create function trap() returns text language plpgsql as $$ begin {body}; return 'x'; end $$;
             alter table dag rename to dag_itself;
             create view dag as select id, trap() as state, planner, created_on, started_on, completed_on from dag_itself"
        ))
        .await;
}

#[tokio::test]
async fn function_of_a_view_cannot_write() {
    let mut database = Database::new(Shape::Mid).await;
    trap(&mut database, "insert into marie_scheduler.trace values (1)").await;
    let error = in_process::run(&database.url, &["dags", "list"]).await.unwrap_err().to_string();
    assert!(error.contains("cannot execute INSERT in a read-only transaction"), "{error}");
    let count: i64 =
        sqlx::query_scalar("select count(*) from trace").fetch_one(&mut database.admin).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn slow_query_ends_at_the_timeout() {
    let mut database = Database::new(Shape::Mid).await;
    trap(&mut database, "perform pg_sleep(60)").await;
    let began = Instant::now();
    let error = in_process::run(&database.url, &["dags", "list", "--collector.timeout=300ms"])
        .await
        .unwrap_err()
        .to_string();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(error.contains("statement timeout") && error.contains("a longer --collector.timeout"), "{error}");
}
