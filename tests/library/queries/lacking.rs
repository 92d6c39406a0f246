//! Databases that differ from the four shapes: missing tables and columns, states as text, `job` as a view, unusual
//! schema names. Every query whose needs are met still runs.

use marie_exporter::collect::collector::{Collector, Division, Query, SqlFile};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::pace::{Pace, PassKind};
use marie_exporter::demo::shape::Shape;
use marie_exporter::schema::Need;
use sqlx::postgres::PgArguments;

use crate::queries::scheduler::Scheduler;

/// Columns of `job` that the maintenance page names; every shape has them.
const PAGE_COLUMNS: [&str; 14] = [
    "id",
    "dag_id",
    "name",
    "priority",
    "data",
    "state",
    "retry_count",
    "retry_limit",
    "created_on",
    "started_on",
    "completed_on",
    "soft_sla",
    "hard_sla",
    "dependencies",
];

/// Runs every query without a lack; returns the failures.
async fn failures(scheduler: &mut Scheduler, change: &str) -> Vec<String> {
    let seen = scheduler.look().await;
    let mut failures = Vec::new();
    for kind in PassKind::ALL {
        scheduler.execute("savepoint run").await;
        if let Err(failure) = scheduler.whole_pass(kind, kind.first_slice(), &seen).await {
            scheduler.execute("rollback to savepoint run").await;
            failures.push(format!("{} after {change}: {failure}", scheduler.shape.name()));
        }
    }
    for collector in COLLECTORS {
        for pace in Pace::ALL {
            scheduler.execute("savepoint run").await;
            if let Err(message) = scheduler.collect(pace, collector, &seen).await {
                scheduler.execute("rollback to savepoint run").await;
                failures.push(format!("{} after {change}: {message}", scheduler.shape.name()));
            }
        }
    }
    for kind in PassKind::ALL {
        scheduler.execute("savepoint pass").await;
        if let Err(message) = scheduler.try_pass(kind, kind.first_slice(), &seen).await {
            scheduler.execute("rollback to savepoint pass").await;
            failures.push(format!("{} after {change}: {message}", scheduler.shape.name()));
        }
    }
    failures
}

/// Makes each change by itself and asserts that every query without a lack runs then.
async fn assert_runs_after_each(scheduler: &mut Scheduler, changes: impl IntoIterator<Item = String>) {
    let mut failed = Vec::new();
    for change in changes {
        scheduler.savepoint().await;
        scheduler.execute(&change).await;
        failed.extend(failures(scheduler, &change).await);
        scheduler.roll_back().await;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Inserts a row into each table that queries read, so that values are computed as well.
async fn fill(scheduler: &mut Scheduler) {
    let rows = match scheduler.shape {
        Shape::Page => "insert into job (id, name) values (gen_random_uuid(), 'extract')",
        Shape::Old | Shape::Mid | Shape::New => {
            "select create_queue('extract', '{}');
            insert into dag (id, name, state) values (gen_random_uuid(), 'd', 'active');
            insert into job (id, name, dag_id) select gen_random_uuid(), 'extract', id from dag"
        }
    };
    scheduler.execute(rows).await;
}

#[tokio::test]
async fn every_query_runs_on_every_shape_under_any_schema_name() {
    for (number, shape) in Shape::ALL.into_iter().enumerate() {
        for name in ["ma\"rie; drop", "Märie ☃ 任务", "o'brien\\n", "%s $1 {}"] {
            let mut scheduler = Scheduler::in_schema(shape, &format!("{name}{number}")).await;
            fill(&mut scheduler).await;
            assert_eq!(failures(&mut scheduler, name).await, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn tables_other_than_job_can_be_missing() {
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        fill(&mut scheduler).await;
        let tables = scheduler
            .texts(
                "select relname::text from pg_class
                where relnamespace = (select relnamespace from pg_class where oid = 'job'::regclass)
                    and relkind in ('r', 'p') and not relispartition and relname <> 'job'",
            )
            .await;
        assert!(tables.iter().any(|table| table == "job_dependencies"), "{tables:?}");
        let changes = tables.iter().map(|table| format!("drop table {table} cascade"));
        assert_runs_after_each(&mut scheduler, changes.collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn job_columns_unknown_to_the_page_can_be_missing() {
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        fill(&mut scheduler).await;
        let columns = scheduler
            .texts(
                "select attname::text from pg_attribute
                where attrelid = 'job'::regclass and attnum > 0 and not attisdropped",
            )
            .await;
        let optional = columns.iter().filter(|column| !PAGE_COLUMNS.contains(&column.as_str()));
        let changes: Vec<String> =
            optional.map(|column| format!("alter table job drop column {column} cascade")).collect();
        assert!(changes.len() > 10, "{changes:?}");
        assert_runs_after_each(&mut scheduler, changes).await;
    }
}

#[tokio::test]
async fn state_can_be_text() {
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        fill(&mut scheduler).await;
        let to_text = "do $$
            declare
                partial regclass;
            begin
                for partial in
                    select indexrelid from pg_index where indrelid = 'job'::regclass and indpred is not null
                loop
                    execute format('drop index %s', partial);
                end loop;
            end
            $$;
            alter table job alter column state drop default, alter column state type text";
        assert_runs_after_each(&mut scheduler, [to_text.to_owned()]).await;
    }
}

#[tokio::test]
async fn job_can_be_a_view() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape).await;
        fill(&mut scheduler).await;
        let schema = scheduler.config.database.schema.quoted();
        let view =
            format!("alter table job rename to job_rows; create view {schema}.job as select * from job_rows");
        assert_runs_after_each(&mut scheduler, [view]).await;
    }
}

#[tokio::test]
async fn columns_of_other_tables_can_be_missing() {
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        fill(&mut scheduler).await;
        for table in ["queue", "version", "job_history"] {
            let columns = scheduler.columns(table).await;
            let optional = columns.iter().filter(|column| (table, column.as_str()) != ("queue", "name"));
            let drop = |column| format!("alter table {table} drop column {column} cascade");
            let changes: Vec<String> = optional.map(drop).collect();
            assert_runs_after_each(&mut scheduler, changes).await;
        }
    }
}

const fn needing(needs: &'static [Need]) -> Query {
    Query {
        sql: SqlFile { name: "none.sql", text: "" },
        pace: Pace::Pulse,
        pass: None,
        wanted: |_| true,
        by_queue: &[],
        optional: &[],
        needs,
        fallbacks: &[],
        definitions: &[],
        index: None,
        division: Division::Whole,
        arguments: |_| Ok(PgArguments::default()),
    }
}

const DENIED: Need = Need::Columns("job", &["name"]);
const MISSING: Need = Need::Columns("job", &["nothing"]);

/// Both orders, because the order must not matter.
static BOTH: [Query; 2] = [needing(&[DENIED, MISSING]), needing(&[MISSING, DENIED])];
static DENIED_FIRST: [Query; 2] = [needing(&[DENIED]), needing(&[MISSING])];
static MISSING_FIRST: [Query; 2] = [needing(&[MISSING]), needing(&[DENIED])];

#[tokio::test]
async fn lack_prefers_missing_in_query_and_denied_in_collector() {
    let mut scheduler = Scheduler::new(Shape::New).await;
    scheduler.execute("create role without_rights; set local role without_rights").await;
    let schema = scheduler.schema().await;
    for query in &BOTH {
        assert_eq!(query.lack(&schema).unwrap().to_string(), "no column job.nothing");
    }
    for queries in [&DENIED_FIRST, &MISSING_FIRST] {
        let collector = Collector { name: "none", about: "", families: &[], joint: &[], queries };
        let lack = collector.lack(&scheduler.config, &schema).unwrap();
        assert_eq!(lack.to_string(), "table job may not be read");
    }
}
