//! `maintain indexes` creates what `check` recommends, and replaces what an interrupted run left unfinished.

use marie_exporter::demo::shape::Shape;
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};

use crate::maintain::scheduler::Scheduler;
use crate::support::databases::{NO_INDEXES, SERVER, run};
use crate::support::process::{output, text};

fn advice(scheduler: &Scheduler) -> usize {
    let printed = output(&["check", "--format=json", "--database-url", &scheduler.database.url]);
    let report: Value = serde_json::from_str(&text(&printed.stdout)).unwrap();
    report["advice"].as_array().unwrap().len()
}

#[tokio::test]
async fn finished_indexes_of_interrupted_run_are_kept() {
    for shape in [Shape::Old, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 20, 0.75).await;
        scheduler.database.run(NO_INDEXES).await;
        let planned = scheduler.maintain(&["indexes"]).expect_success();
        let statements: Vec<&str> = planned.lines().filter(|line| line.starts_with("CREATE INDEX")).collect();
        assert!(statements.len() > 2, "{planned}");
        for statement in &statements[..2] {
            scheduler.database.run(statement).await;
        }
        scheduler.maintain(&["indexes", "--execute"]).expect_success();
        assert_eq!(advice(&scheduler), 0, "{}", shape.name());
    }
}

#[tokio::test]
async fn indexes_leave_no_recommendation() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 20, 0.75).await;
        scheduler.database.run(NO_INDEXES).await;
        let wanted = advice(&scheduler);
        assert!(wanted > 0, "{}", shape.name());
        let planned = scheduler.maintain(&["indexes"]).expect_success();
        assert!(planned.contains("Nothing was changed."), "{planned}");
        assert_eq!(advice(&scheduler), wanted);
        scheduler.maintain(&["indexes", "--execute"]).expect_success();
        assert_eq!(advice(&scheduler), 0, "{}", shape.name());
        let again = scheduler.maintain(&["indexes", "--execute"]).expect_success();
        assert!(again.contains("There is nothing to do"), "{again}");

        // An interrupted CREATE INDEX CONCURRENTLY leaves such indexes.
        let ours = "c.oid = i.indexrelid and starts_with(c.relname, 'marie_exporter_') and c.relkind = 'i'
            and not c.relispartition";
        let unfinished =
            format!("select count(*) from pg_index as i join pg_class as c on {ours} where not indisvalid");
        scheduler
            .database
            .run(&format!("update pg_index as i set indisvalid = false from pg_class as c where {ours}"))
            .await;
        // The shape `old` gets only indexes of the partitioned table.
        assert_eq!(scheduler.count(&unfinished).await > 0, shape != Shape::Old, "{}", shape.name());
        scheduler.maintain(&["indexes", "--execute"]).expect_success();
        assert_eq!((scheduler.count(&unfinished).await, advice(&scheduler)), (0, 0), "{}", shape.name());
    }
}

/// Creates a database with the tables of a shape, but without queues.
async fn database_without_queues(shape: Shape, name: &str) -> (String, PgConnection) {
    let url = SERVER.create_database(name).await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    shape.install(&mut admin, "marie_scheduler").await.unwrap();
    (url, admin)
}

fn create_indexes(url: &str) -> String {
    let made = output(&["maintain", "indexes", "--execute", "--database-url", url]);
    assert!(made.status.success(), "{}{}", text(&made.stdout), text(&made.stderr));
    text(&made.stdout)
}

/// Returns the number of the exporter's invalid indexes, and of partitions without an index that their table has.
async fn count_unusable(admin: &mut PgConnection) -> i64 {
    let unusable = "select (select count(*) from pg_index as i join pg_class as c on c.oid = i.indexrelid
            where starts_with(c.relname, 'marie_exporter_') and not i.indisvalid)
        + (select count(*) from pg_index as i join pg_class as c on c.oid = i.indexrelid
            join pg_inherits as h on h.inhparent = i.indrelid
            where starts_with(c.relname, 'marie_exporter_') and not exists (
                select from pg_inherits as p join pg_index as x on x.indexrelid = p.inhrelid
                where p.inhparent = i.indexrelid and x.indrelid = h.inhrelid
            ))";
    sqlx::query(unusable).fetch_one(admin).await.unwrap().get(0)
}

#[tokio::test]
async fn partitioned_job_without_queue_gets_indexes() {
    let (url, mut admin) = database_without_queues(Shape::Mid, "no queue").await;
    run(&mut admin, NO_INDEXES).await;
    let made = create_indexes(&url);
    assert!(made.contains("ON ONLY \"marie_scheduler\".job"), "{made}");
    assert!(!made.contains("CONCURRENTLY IF NOT EXISTS marie_exporter_job_"), "{made}");
    assert!(create_indexes(&url).contains("There is nothing to do"));
    run(&mut admin, "select create_queue('first', '{}')").await;
    assert_eq!(count_unusable(&mut admin).await, 0);
    assert!(create_indexes(&url).contains("There is nothing to do"));
}

#[tokio::test]
async fn partitions_of_partitions_get_indexes() {
    let (url, mut admin) = database_without_queues(Shape::Mid, "levels").await;
    run(
        &mut admin,
        "select create_queue('flat', '{}');
         create schema \"else where\";
         create table deep partition of job for values in ('deep') partition by hash (id);
         create table deep_0 partition of deep for values with (modulus 2, remainder 0);
         create table \"else where\".\"De ep\" partition of deep for values with (modulus 2, remainder 1)",
    )
    .await;
    create_indexes(&url);
    assert_eq!(count_unusable(&mut admin).await, 0);
    assert!(create_indexes(&url).contains("There is nothing to do"));
}
