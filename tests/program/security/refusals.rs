//! A stolen password of the exporter's role is of little use: the role can neither write, also in a writable session, nor
//! read private data.

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::security::role::grant;
use crate::support::databases::{Database, run};

/// SQLSTATE of a missing right.
const DENIED: &str = "42501";

async fn refusal(session: &mut PgConnection, statement: &str) -> String {
    match sqlx::raw_sql(AssertSqlSafe(statement)).execute(session).await {
        Ok(_) => "nothing: it was done".to_owned(),
        Err(sqlx::Error::Database(error)) => error.code().unwrap_or_default().into_owned(),
        Err(error) => panic!("{statement}: {error}"),
    }
}

/// Statements that change the scheduler's tables, one of each kind for each table, and calls of its functions.
async fn writes(database: &mut Database) -> Vec<String> {
    let names = |kinds: &str| {
        format!(
            "select relname::text from pg_class
            where relnamespace = 'marie_scheduler'::regnamespace and relkind in ({kinds})"
        )
    };
    let tables = texts(database, &names("'r', 'p'")).await;
    assert!(tables.len() > 10, "{tables:?}");
    let mut writes: Vec<String> = tables
        .iter()
        .flat_map(|table| {
            let table = format!("marie_scheduler.{}", marie_exporter::config::quote_identifier(table));
            [
                format!("insert into {table} default values"),
                format!("delete from {table}"),
                format!("truncate {table}"),
                format!("do 'begin lock table {table} in access share mode; end'"),
                format!("do 'begin lock table {table} in access exclusive mode; end'"),
                format!("alter table {table} add column mine int"),
                format!("drop table {table} cascade"),
                format!("create index on {table} ((1))"),
                format!("create rule mine as on insert to {table} do nothing"),
                format!("comment on table {table} is 'mine'"),
                format!("grant select on {table} to public"),
                format!("copy {table} from program 'true'"),
                format!("copy {table} to '/tmp/mine'"),
            ]
        })
        .collect();
    for sequence in texts(database, &names("'S'")).await {
        writes.push(format!("select setval('marie_scheduler.{sequence}', 1)"));
        writes.push(format!("select nextval('marie_scheduler.{sequence}')"));
    }
    let functions = "select case pronargs when 0 then proname || '()' else proname || '(''mine'', ''{}'')' end
        from pg_proc where pronamespace = 'marie_scheduler'::regnamespace and prorettype <> 'trigger'::regtype";
    let functions = texts(database, functions).await;
    assert!(functions.iter().any(|function| function.starts_with("create_queue(")), "{functions:?}");
    writes.extend(functions.iter().map(|function| format!("select marie_scheduler.{function}")));
    writes.extend(OTHER_WRITES.map(str::to_owned));
    writes
}

const OTHER_WRITES: [&str; 30] = [
    "update marie_scheduler.job set state = 'failed'",
    "select id from marie_scheduler.job for update",
    "select id from marie_scheduler.job for key share",
    "create table marie_scheduler.mine ()",
    "create view marie_scheduler.mine as select 1",
    "create type marie_scheduler.mine as enum ()",
    "create function marie_scheduler.mine() returns int language sql as 'select 1'",
    "drop function marie_scheduler.create_queue",
    "alter type marie_scheduler.job_state add value 'mine'",
    "alter schema marie_scheduler rename to mine",
    "drop schema marie_scheduler cascade",
    "create schema mine",
    "create database mine",
    "create role mine",
    "create extension pg_trgm",
    "create trigger mine after insert on marie_scheduler.job execute function suppress_redundant_updates_trigger()",
    "alter role postgres password 'mine'",
    "alter system set work_mem = '1GB'",
    "set role postgres",
    "set session authorization postgres",
    "grant pg_execute_server_program to current_user",
    "reindex table marie_scheduler.job",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/mine'",
    "select pg_reload_conf()",
    "select pg_switch_wal()",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "select pg_create_restore_point('mine')",
];

const PRIVATE: [&str; 14] = [
    "select data from marie_scheduler.job",
    "select output from marie_scheduler.job",
    "select * from marie_scheduler.job",
    "select job from marie_scheduler.job",
    "select id from marie_scheduler.job where data is not null",
    "explain select output from marie_scheduler.job",
    "copy marie_scheduler.job to stdout",
    "copy marie_scheduler.job (data) to stdout",
    "select query_to_xml('select data from marie_scheduler.job', true, true, '')",
    "select data from marie_scheduler.job_history",
    "select serialized_dag from marie_scheduler.dag",
    "select serialized_dag_pickle from marie_scheduler.dag",
    "select value from marie_scheduler.kv_store_worker",
    "select rolpassword from pg_authid",
];

async fn texts(database: &mut Database, query: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut database.admin).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn writes_are_refused_even_in_a_writable_session() {
    for shape in [Shape::Old, Shape::New] {
        let mut database = Database::new(shape).await;
        let url = grant(&mut database, &format!("harmless_{}", shape.name()), &[]).await;
        let mut session = PgConnection::connect(&url).await.unwrap();
        let writes = writes(&mut database).await;
        for statement in &writes {
            let code = refusal(&mut session, statement).await;
            // 25006: refused because the session is read-only.
            assert!([DENIED, "25006"].contains(&code.as_str()), "{statement}: {code}");
        }
        run(&mut session, "set default_transaction_read_only = off").await;
        for statement in &writes {
            assert_eq!(refusal(&mut session, statement).await, DENIED, "{statement}");
        }
    }
}

#[tokio::test]
async fn private_columns_and_tables_cannot_be_read() {
    let mut database = Database::new(Shape::Mid).await;
    database.run("update job set data = '{\"key\": \"secret\"}', output = data; analyze").await;
    let url = grant(&mut database, "incurious", &[]).await;
    let mut session = PgConnection::connect(&url).await.unwrap();
    run(&mut session, "select id, name, state from marie_scheduler.job").await;
    for statement in PRIVATE {
        assert_eq!(refusal(&mut session, statement).await, DENIED, "{statement}");
    }
    // The planner's statistics contain samples of private data.
    let statistics =
        "select count(*) filter (where attname = 'data'), count(*) filter (where attname = 'name')
        from pg_stats where schemaname = 'marie_scheduler' and tablename like 'j%'";
    let row = sqlx::query(statistics).fetch_one(&mut session).await.unwrap();
    let (private, needed): (i64, i64) = (row.get(0), row.get(1));
    assert!(private == 0 && needed > 0, "{private} and {needed}");
}

#[tokio::test]
async fn sixth_connection_of_the_role_is_refused() {
    let mut database = Database::new(Shape::New).await;
    let url = grant(&mut database, "of_five", &[]).await;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(PgConnection::connect(&url).await.unwrap());
    }
    let error = PgConnection::connect(&url).await.unwrap_err();
    assert_eq!(
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        Some("53300"),
        "{error}"
    );
}
