//! Table sizes, row counts and vacuum times equal PostgreSQL's catalog, merged over the partitions.
//!
//! The catalog covers only committed rows, so each test has a separate database.

use std::time::{Duration, Instant};

use marie_exporter::collect::collectors::storage::COLLECTOR;
use marie_exporter::demo::shape::Shape;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use crate::queries::scheduler::{Scheduler, Series};
use crate::support::databases::SERVER;

const JOBS: &str = "
    select create_queue('extract', '{}'), create_queue('classify', '{}');
    insert into dag (id, name) values (gen_random_uuid(), 'd');
    insert into job (id, name, dag_id, data)
    select gen_random_uuid(), queue, dag.id,
        (select jsonb_agg(md5(format('%s %s', number, part))) from generate_series(1, 100) as part)
    from dag, generate_series(1, 300) as number,
        lateral (select case when number <= 200 then 'extract' else 'classify' end as queue) as q";

/// Catalog values over all tables that contain jobs.
const LEAVES: &str = "
    select
        sum(pg_relation_size(oid) + pg_relation_size(oid, 'fsm') + pg_relation_size(oid, 'vm'))::float8,
        sum(pg_indexes_size(oid))::float8,
        sum(pg_total_relation_size(reltoastrelid))::float8,
        sum(n_live_tup)::float8,
        sum(n_dead_tup)::float8,
        (extract(epoch from min(last_vacuum)))::float8,
        (extract(epoch from min(last_analyze)))::float8
    from pg_class as c
    join pg_stat_user_tables as s on s.relid = c.oid
    where c.relkind = 'r' and (c.relname = 'job' or c.relispartition)";

/// Whether the statistics report a vacuum and an analyze of all of them.
const REPORTED: &str = "
    select bool_and(last_vacuum is not null and last_analyze is not null)
    from pg_class as c
    join pg_stat_user_tables as s on s.relid = c.oid
    where c.relkind = 'r' and (c.relname = 'job' or c.relispartition)";

async fn database(shape: Shape, name: &str) -> (String, PgConnection) {
    let url = SERVER.create_database(name).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    shape.install(&mut connection, "marie_scheduler").await.unwrap();
    sqlx::raw_sql(JOBS).execute(&mut connection).await.unwrap();
    (url, connection)
}

/// Waits until the statistics report the vacuum. Before version 15 another process of the server updates them.
async fn wait_for_statistics(connection: &mut PgConnection) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !sqlx::query_scalar::<_, bool>(REPORTED).fetch_one(&mut *connection).await.unwrap() {
        assert!(Instant::now() < deadline, "the statistics do not report the vacuum");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns our series and the catalog's values from one transaction.
///
/// Within a transaction statistics do not change, although other sessions may still report what they wrote.
async fn series_and_catalog(url: &str, shape: Shape) -> (Series, PgRow) {
    let mut scheduler = Scheduler::connect(url, shape, "marie_scheduler").await;
    let series = scheduler.series(&COLLECTOR).await;
    let leaves = scheduler.fetch(LEAVES).await.remove(0);
    (series, leaves)
}

#[tokio::test]
async fn sizes_and_rows_are_sums_over_all_partitions() {
    for shape in [Shape::Mid, Shape::New] {
        let (url, mut connection) = database(shape, &format!("storage {}", shape.name())).await;
        sqlx::raw_sql("vacuum analyze").execute(&mut connection).await.unwrap();
        wait_for_statistics(&mut connection).await;
        let (series, leaves) = series_and_catalog(&url, shape).await;
        let size = |part: &str| series[&("marie_table_size_bytes", vec!["job".to_owned(), part.to_owned()])];
        for (column, part) in ["heap", "indexes", "toast"].into_iter().enumerate() {
            let catalog: f64 = leaves.get(column);
            assert!(catalog > 10_000.0, "the test's {part} is too small: {catalog} bytes");
            assert_eq!(size(part).to_string(), catalog.to_string(), "{part} on {}", shape.name());
        }
        let rows = |kind: &str| series[&("marie_table_rows", vec!["job".to_owned(), kind.to_owned()])];
        assert!(rows("live") >= 300.0);
        for (column, kind) in [(3, "live"), (4, "dead")] {
            assert_eq!(rows(kind).to_string(), leaves.get::<f64, _>(column).to_string(), "{kind}");
        }
    }
}

#[tokio::test]
async fn last_vacuum_is_of_the_longest_unvacuumed_partition() {
    let (url, mut connection) = database(Shape::Mid, "vacuum").await;
    let partitions: Vec<String> =
        sqlx::query_scalar("select relname::text from pg_class where relispartition and relkind = 'r'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(partitions.len(), 2);
    for partition in partitions {
        let vacuum = format!("vacuum analyze {partition}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(vacuum)).execute(&mut connection).await.unwrap();
    }
    wait_for_statistics(&mut connection).await;
    let (series, leaves) = series_and_catalog(&url, Shape::Mid).await;
    for (column, family) in
        [(5, "marie_table_last_vacuum_timestamp_seconds"), (6, "marie_table_last_analyze_timestamp_seconds")]
    {
        let found = series[&(family, vec!["job".to_owned()])];
        assert_eq!(found.to_string(), leaves.get::<f64, _>(column).to_string(), "{family}");
        assert!(!series.contains_key(&(family, vec!["archive".to_owned()])), "the archive was not vacuumed");
    }
}
