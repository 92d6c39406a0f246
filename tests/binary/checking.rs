//! `marie-exporter check`: its exit codes and its two formats.

use std::net::TcpListener;

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::databases::Database;
use crate::process::{output, text};

fn check(url: &str, format: &str) -> (Option<i32>, String) {
    let output = output(&["check", "--database-url", url, "--format", format]);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    (output.status.code(), text(&output.stdout))
}

#[tokio::test]
async fn all_is_well_on_every_shape() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let database = Database::new(shape).await;
        let (code, told) = check(&database.url, "text");
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains(&format!("(shape: {})", shape.name())), "{told}");
        let (code, told) = check(&database.url, "json");
        let report: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(report["error"], Value::Null);
        assert_eq!(report["database"]["shape"], shape.name());
        assert_eq!(report["collectors"].as_array().map(Vec::len), Some(9));
    }
}

#[tokio::test]
async fn a_missing_right_or_table_is_named_and_ends_it_with_1() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(
            "create role without_dag login;
             grant usage on schema marie_scheduler to without_dag;
             grant select on all tables in schema marie_scheduler to without_dag;
             revoke select on dag from without_dag",
        )
        .await;
    let (code, told) = check(&database.url.replace("postgres@", "without_dag@"), "text");
    assert_eq!(code, Some(1));
    assert!(told.contains("DENIED  dags.sql") && told.contains("DENIED  waiting.sql"), "{told}");
    assert!(told.contains("role      without_dag, can only read"), "{told}");

    database.run("alter schema marie_scheduler rename to elsewhere").await;
    let (code, told) = check(&database.url, "text");
    assert_eq!(code, Some(1));
    assert!(told.contains("is --database.schema right?"), "{told}");
    let (code, told) = check(&database.url, "json");
    assert_eq!(code, Some(1));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["database"]["shape"], "none");
}

#[test]
fn a_database_that_is_away_or_silent_ends_it_with_2() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    for (url, reason) in
        [("postgres://nobody@127.0.0.1:1/none", "refused"), (&silent, "no answer within 5 s")]
    {
        let (code, told) = check(url, "text");
        assert_eq!(code, Some(2), "{told}");
        assert!(
            told.contains("cannot connect to PostgreSQL at 127.0.0.1:") && told.contains(reason),
            "{told}"
        );
    }
    let (code, told) = check("postgres://nobody@127.0.0.1:1/none", "json");
    assert_eq!(code, Some(2));
    assert!(serde_json::from_str::<Value>(&told).unwrap()["error"].is_string());
}
