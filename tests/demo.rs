//! The throwaway server and the shapes keep what they promise: nothing is left behind, every shape
//! installs anywhere and leaves the history that Marie's triggers leave.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use once_cell::sync::Lazy;
use sqlx::{Connection, PgConnection};

static SERVER: Lazy<Server> = Lazy::new(|| Server::start().unwrap());

/// A schema name that any careless quoting would trip over.
const UGLY: &str = "ma\"rie; drop";

const OWNER_TEST: &str = "owns_a_server_until_it_is_killed";

async fn connect_to_new_database(name: &str) -> PgConnection {
    let url = SERVER.create_database(name).await.unwrap();
    PgConnection::connect(&url).await.unwrap()
}

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

/// Runs a script, all of it in one transaction.
async fn run(connection: &mut PgConnection, script: &'static str) {
    sqlx::raw_sql(script).execute(connection).await.unwrap();
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn process_exists(pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn a_dropped_server_leaves_neither_process_nor_folder() {
    let server = Server::start().unwrap();
    let (pid, folder) = (server.postmaster_pid(), server.folder().to_owned());
    assert!(process_exists(pid) && folder.exists());
    drop(server);
    assert!(!process_exists(pid) && !folder.exists());
}

/// Not a test but the process that the next test kills.
#[test]
#[ignore = "runs until it is killed"]
fn owns_a_server_until_it_is_killed() {
    let server = Server::start().unwrap();
    eprintln!("server {} {}", server.postmaster_pid(), server.folder().display());
    thread::sleep(Duration::from_mins(5));
}

#[test]
fn a_server_whose_owner_was_killed_leaves_neither_process_nor_folder() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([OWNER_TEST, "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find(|line| line.starts_with("server ")).unwrap();
    let [_, pid, folder] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let pid = pid.parse().unwrap();
    assert!(process_exists(pid) && Path::new(folder).exists());

    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the server is gone", || !process_exists(pid));
    wait_until("its folder is gone", || !Path::new(folder).exists());
}

#[tokio::test]
async fn a_stopped_server_starts_again_on_the_same_port_with_the_same_data() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("kept").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    run(&mut connection, "create table kept as select 42::bigint as answer").await;

    server.stop().unwrap();
    assert!(!process_exists(server.postmaster_pid()));
    PgConnection::connect(&url).await.unwrap_err();
    server.start_again().unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    assert_eq!(count(&mut connection, "select answer from kept").await, 42);
    let folder = server.folder().to_owned();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let Err(error) = Server::start_with(&[("shared_buffers", "a lot")]) else {
        panic!("it started with nonsense")
    };
    let message = error.to_string();
    assert!(message.contains("shared_buffers") && message.contains("127.0.0.1"), "{message}");
}

#[tokio::test]
async fn settings_given_at_the_start_are_in_force() {
    let server = Server::start_with(&[("work_mem", "7MB")]).unwrap();
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let show = "select setting::bigint from pg_settings where name = 'work_mem'";
    assert_eq!(count(&mut connection, show).await, 7 * 1024);
    let version: String = sqlx::query_scalar("show server_version").fetch_one(&mut connection).await.unwrap();
    assert!(version.starts_with(server.version()));
}

#[tokio::test]
async fn every_shape_installs_in_a_schema_with_an_ugly_name() {
    let mut connection = connect_to_new_database("every \"shape\"").await;
    for shape in Shape::ALL {
        let mut transaction = connection.begin().await.unwrap();
        shape.install(&mut transaction, UGLY).await.unwrap();
        let schema: String =
            sqlx::query_scalar("select current_schema()::text").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(schema, UGLY);
        transaction.rollback().await.unwrap();
    }
    let left = "select count(*) from pg_class where relname = 'job'";
    assert_eq!(count(&mut connection, left).await, 0);
}

#[tokio::test]
async fn a_job_leaves_four_history_rows_and_its_dag_three_from_any_search_path() {
    let mut connection = connect_to_new_database("history").await;
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        shape.install(&mut connection, shape.name()).await.unwrap();
        run(
            &mut connection,
            "select create_queue('extract', '{\"retry_limit\": 2}');
             insert into dag (id, name, state) values (gen_random_uuid(), 'd_dag', 'created');
             insert into job (id, name, dag_id, state)
                 select gen_random_uuid(), 'extract', id, 'created' from dag;
             update dag set state = 'active', started_on = now();
             update job set state = 'active', started_on = now();
             update job set state = 'active', started_on = now();
             update job set state = 'completed', completed_on = now();
             update dag set state = 'completed', completed_on = now()",
        )
        .await;
        let states: Vec<String> =
            sqlx::query_scalar("select state::text from job_history order by history_id")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(states, ["created", "active", "active", "completed"], "{}", shape.name());
        assert_eq!(count(&mut connection, "select count(*) from dag_history").await, 3);

        run(&mut connection, "delete from dag").await;
        assert_eq!(count(&mut connection, "select count(*) from job").await, 0);
        assert_eq!(count(&mut connection, "select count(*) from job_history").await, 4);
        assert_eq!(count(&mut connection, "select count(*) from dag_history").await, 4);
    }
}

#[tokio::test]
async fn functions_and_triggers_work_whatever_the_callers_search_path() {
    let mut connection = connect_to_new_database("search_path").await;
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut transaction = connection.begin().await.unwrap();
        shape.install(&mut transaction, "marie").await.unwrap();
        run(
            &mut transaction,
            "set search_path = pg_catalog;
             select marie.create_queue('extract', '{}'::json);
             insert into marie.dag (id, name) values ('00000000-0000-0000-0000-000000000001', 'd');
             insert into marie.job (id, name, dag_id, dependencies) values
                 ('00000000-0000-0000-0000-00000000000a', 'extract',
                  '00000000-0000-0000-0000-000000000001', '[]'),
                 ('00000000-0000-0000-0000-00000000000b', 'extract',
                  '00000000-0000-0000-0000-000000000001',
                  '[\"00000000-0000-0000-0000-00000000000a\"]')",
        )
        .await;
        let parents = "select count(*) from marie.job_dependencies";
        assert_eq!(count(&mut transaction, parents).await, 1);
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn create_queue_makes_a_partition_except_in_the_newest_shape() {
    let mut connection = connect_to_new_database("queues").await;
    for (shape, partitions) in [(Shape::Old, 1), (Shape::Mid, 1), (Shape::New, 0)] {
        shape.install(&mut connection, shape.name()).await.unwrap();
        // The second call finds the queue there and ignores its options.
        run(
            &mut connection,
            "select create_queue('extract', '{\"retry_limit\": 1}');
             select create_queue('extract', '{\"retry_limit\": 9}')",
        )
        .await;
        let found = "select count(*) from pg_inherits where inhparent = 'job'::regclass";
        assert_eq!(count(&mut connection, found).await, partitions, "{}", shape.name());
        let queues = "select count(*) from queue where name = 'extract' and retry_limit = 1";
        assert_eq!(count(&mut connection, queues).await, 1);
    }
}

#[tokio::test]
async fn the_minutes_refresh_rewrites_every_job_that_is_not_completed() {
    let mut connection = connect_to_new_database("refresh").await;
    for shape in [Shape::Old, Shape::Mid] {
        shape.install(&mut connection, shape.name()).await.unwrap();
        run(
            &mut connection,
            "select create_queue('extract', '{}');
             insert into dag (id, name) values (gen_random_uuid(), 'd_dag');
             insert into job (id, name, dag_id, state, hard_sla)
                 select gen_random_uuid(), 'extract', id, label::job_state, now() - interval '1 h'
                 from dag, unnest(array['created', 'active', 'failed', 'completed']) as label;
             select refresh_job_priority(), refresh_job_durations(), refresh_dag_durations()",
        )
        .await;
        let refreshed = "select count(*) from job_history where priority >= 1000";
        // The active one twice: its duration is another update.
        assert_eq!(count(&mut connection, refreshed).await, 4, "{}", shape.name());
    }
}
