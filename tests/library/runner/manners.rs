//! Limits on the exporter's sessions: they carry its name, only read, and are never more than one.

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{Connection, Row};

use crate::support::databases::{Database, furnished};
use crate::support::running::{Running, successes};

#[tokio::test]
async fn one_connection_carries_the_exporters_name() {
    let mut database = Database::new(Shape::Mid).await;
    let mut running =
        Running::start(&database.url, &["--collector.interval=20ms", "--collector.slow-interval=20ms"]);
    let sessions = "select coalesce(array_agg(application_name), '{}') as names from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()
                        and backend_type = 'client backend'";
    let mut most = 0;
    while successes(&running.metrics(), "scheduler") < 8.0 {
        let row = sqlx::query(sessions).fetch_one(&mut database.admin).await.unwrap();
        let names: Vec<String> = row.get("names");
        assert!(names.iter().all(|name| name == "marie-exporter"), "{names:?}");
        assert!(names.len() <= 1, "{} connections", names.len());
        most = most.max(names.len());
        running.until("still alive", |_| true).await;
    }
    assert_eq!(most, 1);
    running.stop().await;
}

#[tokio::test]
async fn every_statement_only_reads_and_transactions_end() {
    let server = Server::start_with(&[
        ("log_statement", "all"),
        ("log_line_prefix", "[%a] "),
        ("log_min_messages", "warning"),
    ])
    .unwrap();
    for shape in Shape::ALL {
        let url = server.create_database(shape.name()).await.unwrap();
        let admin = furnished(&url, shape).await;
        let mut running = Running::start(&url, &["--dags.progress-limit=5"]);
        let exporter = std::sync::Arc::clone(&running.exporter);
        running.until("the pulse has run", |_| exporter.run_status.is_ready()).await;
        running.until_fresh(&["statistics", "stuck", "storage"]).await;
        running.stop().await;
        admin.close().await.unwrap();
    }
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let (mut begun, mut ended) = (0, 0);
    for line in log.lines().filter_map(|line| line.strip_prefix("[marie-exporter] LOG:  ")) {
        // Other lines, such as a broken connection at the end, contain no statement.
        let Some((kind, statement)) = line.split_once(": ") else { continue };
        if kind != "statement" && !kind.starts_with("execute ") {
            continue;
        }
        // The first line of a query is a comment or its first words.
        let word = statement.trim_start().split([' ', ';']).next().unwrap_or_default();
        match word.to_lowercase().as_str() {
            "begin" => {
                begun += 1;
                assert!(statement.starts_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"), "{line}");
            }
            "rollback" if statement == "ROLLBACK" => ended += 1,
            "rollback" | "savepoint" | "select" | "with" | "--" => {}
            "set" if statement.starts_with("SET LOCAL ") => {}
            _ => panic!("not a read: {line}"),
        }
    }
    assert!(begun > 30, "only {begun} transactions in the log");
    // Shutdown may interrupt a transaction of each shape.
    assert!(begun - ended <= 4, "{begun} transactions begun, {ended} ended");
}
