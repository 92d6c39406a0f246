//! Histories whose rows are written again by a rewrite of the table, a reload, a restore or a copy.
//!
//! None of these rows is a new event. Events afterwards are counted.

mod beside_open_transactions;

use marie_exporter::demo::shape::Shape;

use crate::events::counting::{Counting, FINISH, Folder, Series, falls, sum};
use crate::events::new_database;
use crate::support::databases::Database;

/// Inserts events that are five to one days old into both histories.
async fn old_events(database: &mut Database) {
    database
        .run(
            "insert into job_history (id, name, priority, state, retry_limit, retry_count, retry_delay, retry_backoff,
                start_after, started_on, expire_in, created_on, completed_on, keep_until, dag_id, job_level,
                sla_miss_logged, history_created_on)
             select gen_random_uuid(), 'extract', 0, 'failed', 2, 0, 0, false, at, at, '0', at, at, at,
                md5('dag')::uuid, 0, false, at
             from (select now() - interval '1 day' * days as at from generate_series(5, 1, -1) as days) as past;
             insert into dag_history (id, name, state, started_on, completed_on, created_on, updated_on,
                sla_miss_logged, planner, priority, history_created_on)
             select gen_random_uuid(), 'old ' || at, 'failed', at, at, at, at, false, 'planner', 0, at
             from (select now() - interval '1 day' * days as at from generate_series(5, 1, -1) as days) as past",
        )
        .await;
}

/// Finishes one job and one DAG; triggers record both.
async fn finish(database: &mut Database) {
    database.run(FINISH).await;
    database
        .run(
            "insert into dag (id, name, planner, state, completed_on)
              select gen_random_uuid(), gen_random_uuid()::text, 'planner', 'completed', now()",
        )
        .await;
}

fn counts(series: &Series) -> (f64, f64) {
    (sum(series, "marie_jobs_finished_total"), sum(series, "marie_dag_run_seconds"))
}

/// Runs the counter until everything is counted; the first run may fail with `HistoryLost`.
async fn settle(counting: &mut Counting, database: &mut Database) -> Series {
    if let Err(failure) = counting.run().await {
        assert_eq!(failure.reason, marie_exporter::postgres::Reason::HistoryLost, "{failure}");
    }
    counting.settle(database).await
}

/// Names and statements of ways to write the rows of `TABLE` again.
const REWRITES: &[(&str, &str)] = &[
    ("volatile default", "alter table TABLE add column more uuid not null default gen_random_uuid()"),
    ("other type", "alter table TABLE alter column priority type bigint"),
    (
        "generated column",
        "alter table TABLE add column twice bigint generated always as (priority * 2) stored; alter table TABLE drop column twice",
    ),
    ("unlogged", "alter table TABLE set unlogged"),
    ("logged", "alter table TABLE set logged"),
    ("vacuum full", "vacuum full TABLE"),
    ("cluster", "cluster TABLE using TABLE_pkey"),
    ("update", "update TABLE set priority = priority"),
    (
        "truncate and reload",
        "create table kept as table TABLE; truncate TABLE; insert into TABLE select * from kept;
        drop table kept",
    ),
    (
        "delete and reload",
        "create table kept as table TABLE; delete from TABLE; insert into TABLE select * from kept;
        drop table kept",
    ),
    (
        "reload with new ids",
        "create table kept as table TABLE; truncate TABLE restart identity;
        alter table kept drop column history_id;
        insert into TABLE (COLUMNS) select COLUMNS from kept; drop table kept",
    ),
    (
        "reload without the newest rows",
        "create table kept as select * from TABLE
            where history_created_on < now() - interval '1 hour';
        truncate TABLE; insert into TABLE select * from kept; drop table kept",
    ),
    ("copy appended", "insert into TABLE (COLUMNS) select COLUMNS from TABLE"),
    (
        "copy and rename",
        "create table copied (like TABLE including all); insert into copied select * from TABLE;
        alter sequence TABLE_history_id_seq owned by none; drop table TABLE; alter table copied rename to TABLE",
    ),
    (
        "conversion to partitions",
        "alter table TABLE rename to before;
        create table TABLE (like before including defaults) partition by range (history_id);
        create table TABLE_low partition of TABLE for values from (minvalue) to (8);
        create table TABLE_high partition of TABLE for values from (8) to (maxvalue);
        alter table TABLE add primary key (history_id); insert into TABLE select * from before;
        alter sequence TABLE_history_id_seq owned by none; drop table before",
    ),
    ("rewrite of partitions", "alter table TABLE alter column priority type int"),
    (
        "reload of partitions",
        "create table kept as table TABLE; truncate TABLE; insert into TABLE select * from kept;
        drop table kept",
    ),
];

async fn columns(database: &mut Database, table: &str) -> String {
    let columns = sqlx::query_scalar(
        "select string_agg(quote_ident(attname), ', ') from pg_attribute
         where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attname <> 'history_id'
            and attgenerated = ''",
    );
    columns.bind(format!("marie_scheduler.{table}")).fetch_one(&mut database.admin).await.unwrap()
}

/// Runs the statements one by one, because VACUUM cannot run in a transaction with others.
async fn rewrite(database: &mut Database, table: &str, statements: &str) {
    let columns = columns(database, table).await;
    for statement in statements.split(';') {
        database.run(&statement.replace("TABLE", table).replace("COLUMNS", &columns)).await;
    }
}

/// A counter that runs all the time, and one with a state file that is restarted after each rewrite.
struct Counters {
    running: Counting,
    restarted: Counting,
    before: [Series; 2],
    expected: f64,
}

impl Counters {
    async fn start(database: &mut Database, folder: &Folder) -> Self {
        let running = Counting::start(database).await;
        let restarted = Counting::start_with(database, &[&folder.flag()]).await;
        Counters { running, restarted, before: [Series::new(), Series::new()], expected: 0.0 }
    }

    /// Asserts that both counters count the expected events and that no total falls.
    async fn count(&mut self, database: &mut Database, what: &str) {
        for (counter, before) in [&mut self.running, &mut self.restarted].into_iter().zip(&mut self.before) {
            let now = settle(counter, database).await;
            assert_eq!(counts(&now), (self.expected, self.expected), "{what}");
            assert_eq!(falls(before, &now), None, "{what}");
            *before = now;
        }
    }

    async fn finish_and_count(&mut self, database: &mut Database, what: &str) {
        finish(database).await;
        self.expected += 1.0;
        self.count(database, what).await;
    }
}

#[tokio::test]
async fn rewritten_history_is_not_counted_again() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    old_events(&mut database).await;
    let mut counters = Counters::start(&mut database, &folder).await;
    counters.finish_and_count(&mut database, "the first finish").await;
    for (what, statements) in REWRITES {
        for table in ["job_history", "dag_history"] {
            rewrite(&mut database, table, statements).await;
            counters.restarted.restart();
            counters.count(&mut database, &format!("{what} of {table}")).await;
        }
        counters.finish_and_count(&mut database, &format!("the finish after {what}")).await;
    }
}

/// Reloads as `pg_dump --inserts` does, with runs after TRUNCATE and during the reload.
#[tokio::test]
async fn history_reloaded_row_by_row_is_not_counted_again() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    old_events(&mut database).await;
    let mut counters = Counters::start(&mut database, &folder).await;
    counters.finish_and_count(&mut database, "the first finish").await;
    for table in ["job_history", "dag_history"] {
        database.run(&format!("create table kept as table {table}; truncate {table} restart identity")).await;
        counters.count(&mut database, &format!("{table} truncated")).await;
        let columns = columns(&mut database, table).await;
        let rows: Vec<i64> = sqlx::query_scalar("select history_id from marie_scheduler.kept order by 1")
            .fetch_all(&mut database.admin)
            .await
            .unwrap();
        for (place, row) in rows.iter().enumerate() {
            let copy = format!(
                "insert into {table} ({columns}) select {columns} from kept where history_id = {row}"
            );
            database.run(&copy).await;
            if place % 3 == 0 {
                counters.restarted.restart();
                counters.count(&mut database, &format!("row {row} of {table}")).await;
            }
        }
        database.run("drop table kept").await;
        counters.finish_and_count(&mut database, "the finish afterwards").await;
    }
}

/// The exporter starts with an empty database, into which an old one is restored.
#[tokio::test]
async fn history_restored_into_empty_table_is_not_counted() {
    let mut database = new_database(Shape::New).await;
    database.run("truncate job_history, dag_history").await;
    let folder = Folder::new();
    let mut counters = Counters::start(&mut database, &folder).await;
    old_events(&mut database).await;
    counters.count(&mut database, "the restore").await;
    counters.finish_and_count(&mut database, "the finish afterwards").await;
}
