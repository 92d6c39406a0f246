//! `maintain indexes` makes what `check` recommends, and makes anew what an interrupted run left unfinished.

use marie_exporter::demo::shape::Shape;
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};

use crate::maintain::scheduler::Scheduler;
use crate::support::databases::{SERVER, run};
use crate::support::process::{output, text};

fn advice(scheduler: &Scheduler) -> usize {
    let told = output(&["check", "--format=json", "--database-url", &scheduler.database.url]);
    let report: Value = serde_json::from_str(&text(&told.stdout)).unwrap();
    report["advice"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_an_interrupted_run_has_made_is_kept() {
    for shape in [Shape::Old, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 20, 0.75).await;
        let planned = scheduler.maintain(&["indexes"]).expect();
        let statements: Vec<&str> = planned.lines().filter(|line| line.starts_with("CREATE INDEX")).collect();
        assert!(statements.len() > 2, "{planned}");
        for statement in &statements[..2] {
            scheduler.database.run(statement).await;
        }
        scheduler.maintain(&["indexes", "--execute"]).expect();
        assert_eq!(advice(&scheduler), 0, "{}", shape.name());
    }
}

#[tokio::test]
async fn afterwards_nothing_is_recommended_any_more() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 20, 0.75).await;
        let wanted = advice(&scheduler);
        assert!(wanted > 0, "{}", shape.name());
        let planned = scheduler.maintain(&["indexes"]).expect();
        assert!(planned.contains("Nothing was changed."), "{planned}");
        assert_eq!(advice(&scheduler), wanted);
        scheduler.maintain(&["indexes", "--execute"]).expect();
        assert_eq!(advice(&scheduler), 0, "{}", shape.name());
        let again = scheduler.maintain(&["indexes", "--execute"]).expect();
        assert!(again.contains("There is nothing to do"), "{again}");

        // As CREATE INDEX CONCURRENTLY leaves it that was interrupted.
        let ours = "c.oid = i.indexrelid and starts_with(c.relname, 'marie_exporter_') and c.relkind = 'i'
            and not c.relispartition";
        let unfinished =
            format!("select count(*) from pg_index as i join pg_class as c on {ours} where not indisvalid");
        scheduler
            .database
            .run(&format!("update pg_index as i set indisvalid = false from pg_class as c where {ours}"))
            .await;
        // The old shape gets indexes of the partitioned table only.
        assert_eq!(scheduler.count(&unfinished).await > 0, shape != Shape::Old, "{}", shape.name());
        scheduler.maintain(&["indexes", "--execute"]).expect();
        assert_eq!((scheduler.count(&unfinished).await, advice(&scheduler)), (0, 0), "{}", shape.name());
    }
}

/// A database with the tables of this shape, and no queue.
async fn without_queues(shape: Shape, name: &str) -> (String, PgConnection) {
    let url = SERVER.create_database(name).await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    shape.install(&mut admin, "marie_scheduler").await.unwrap();
    (url, admin)
}

fn make(url: &str) -> String {
    let made = output(&["maintain", "indexes", "--execute", "--database-url", url]);
    assert!(made.status.success(), "{}{}", text(&made.stdout), text(&made.stderr));
    text(&made.stdout)
}

/// Indexes of ours that no query can use, and partitions that lack one that their table has.
async fn unfit(admin: &mut PgConnection) -> i64 {
    let unfit = "select (select count(*) from pg_index as i join pg_class as c on c.oid = i.indexrelid
            where starts_with(c.relname, 'marie_exporter_') and not i.indisvalid)
        + (select count(*) from pg_index as i join pg_class as c on c.oid = i.indexrelid
            join pg_inherits as h on h.inhparent = i.indrelid
            where starts_with(c.relname, 'marie_exporter_') and not exists (
                select from pg_inherits as p join pg_index as x on x.indexrelid = p.inhrelid
                where p.inhparent = i.indexrelid and x.indrelid = h.inhrelid
            ))";
    sqlx::query(unfit).fetch_one(admin).await.unwrap().get(0)
}

#[tokio::test]
async fn partitioned_job_without_queue_gets_indexes() {
    let (url, mut admin) = without_queues(Shape::Mid, "no queue").await;
    let made = make(&url);
    assert!(made.contains("ON ONLY \"marie_scheduler\".job"), "{made}");
    assert!(!made.contains("CONCURRENTLY IF NOT EXISTS marie_exporter_job_"), "{made}");
    assert!(make(&url).contains("There is nothing to do"));
    run(&mut admin, "select create_queue('first', '{}')").await;
    assert_eq!(unfit(&mut admin).await, 0);
    assert!(make(&url).contains("There is nothing to do"));
}

#[tokio::test]
async fn partitions_of_partitions_get_indexes() {
    let (url, mut admin) = without_queues(Shape::Mid, "levels").await;
    run(
        &mut admin,
        "select create_queue('flat', '{}');
         create schema \"else where\";
         create table deep partition of job for values in ('deep') partition by hash (id);
         create table deep_0 partition of deep for values with (modulus 2, remainder 0);
         create table \"else where\".\"De ep\" partition of deep for values with (modulus 2, remainder 1)",
    )
    .await;
    make(&url);
    assert_eq!(unfit(&mut admin).await, 0);
    assert!(make(&url).contains("There is nothing to do"));
}
