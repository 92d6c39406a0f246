//! What the reading commands may do: no more than `grants` gives, nothing that writes, and not for longer than allowed.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;

use crate::inspect::asking;
use crate::inspect::printed::commands;
use crate::support::databases::Database;
use crate::support::process::{output, text};
use crate::support::random_tables::filled;

/// The URL of a role that has just what `grants` prints.
async fn granted(database: &mut Database, role: &str) -> String {
    let printed = output(&["grants", "--database-url", &database.url, "--role", role]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    database.run(&text(&printed.stdout)).await;
    database.url.replace("postgres@", &format!("{role}@"))
}

#[tokio::test]
async fn the_exporters_own_role_can_do_all_but_look_into_payloads() {
    for shape in Shape::ALL {
        let mut database = filled(shape, 0.5).await;
        let url = granted(&mut database, &format!("operator_{}", shape.name())).await;
        let job = asking::column(&url, &["jobs", "list"], "id").await[0].as_str().unwrap().to_owned();
        let dag = asking::column(&url, &["jobs", "list"], "dag_id").await[0].as_str().unwrap().to_owned();
        for words in commands(shape, &job, &dag) {
            let text = asking::text(&url, &words).await;
            assert!(!text.contains("could not be read"), "{words:?} on {}: {text}", shape.name());
            // Ages go on meanwhile.
            let owners = asking::text(&database.url, &words).await;
            assert_eq!(text.lines().count(), owners.lines().count(), "{words:?} on {}", shape.name());
        }
        let missing = ["jobs", "show", "00000000-0000-4000-8000-000000000001"];
        let error = asking::ask(&url, &missing).await.unwrap_err().to_string();
        assert!(error.contains("purged or never existed") && !error.contains("could not"), "{error}");
        for words in [
            &["jobs", "list", "--metadata=doc_type=invoice"] as &[&str],
            &["jobs", "show", &job, "--payload"],
        ] {
            assert!(asking::ask(&database.url, words).await.is_ok());
            let error = asking::ask(&url, words).await.unwrap_err().to_string();
            assert!(error.contains("column job.data may not be read"), "{error}");
            assert!(error.contains("payloads need another role"), "{error}");
        }
    }
}

#[tokio::test]
async fn older_role_is_told_missing_grants_and_shown_the_rest() {
    let mut database = filled(Shape::New, 0.5).await;
    let url = granted(&mut database, "operator_of_old").await;
    database.run("revoke select (dependencies) on job from operator_of_old").await;
    let job = asking::column(&url, &["jobs", "list"], "id").await[0].as_str().unwrap().to_owned();
    let shown = asking::text(&url, &["jobs", "show", &job]).await;
    assert!(
        shown.contains(
            "\nPARENTS\ncould not be read: show/parents.sql: column job.dependencies may not be read"
        ),
        "{shown}"
    );
    assert!(shown.contains("marie-exporter grants") && shown.contains("\nCHILDREN\n"), "{shown}");
}

/// Replaces the table of DAGs by a view that calls a function.
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
async fn nothing_can_be_written_whatever_the_role_may_do() {
    let mut database = Database::new(Shape::Mid).await;
    trap(&mut database, "insert into marie_scheduler.trace values (1)").await;
    let error = asking::ask(&database.url, &["dags", "list"]).await.unwrap_err().to_string();
    assert!(error.contains("cannot execute INSERT in a read-only transaction"), "{error}");
    let count: i64 =
        sqlx::query_scalar("select count(*) from trace").fetch_one(&mut database.admin).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_query_takes_no_longer_than_it_is_allowed_to() {
    let mut database = Database::new(Shape::Mid).await;
    trap(&mut database, "perform pg_sleep(60)").await;
    let began = Instant::now();
    let error = asking::ask(&database.url, &["dags", "list", "--collector.timeout=300ms"])
        .await
        .unwrap_err()
        .to_string();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(error.contains("statement timeout") && error.contains("a longer --collector.timeout"), "{error}");
}
