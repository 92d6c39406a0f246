//! `PgBouncer` in transaction mode: each transaction gets any free session of the server.

use std::cell::Cell;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};
use tokio::task::JoinHandle;

use crate::support::databases::{furnished, run};
use crate::support::metrics::Metrics;
use crate::support::process::{Process, command, output, text};
use crate::support::watch::{INTERVAL, Watch};

/// Number of the server's sessions that the pooler's clients share.
const SESSIONS: usize = 4;

struct Pooler {
    child: Child,
    url: String,
}

fn program() -> Command {
    // Debian installs it outside of most users' PATH.
    let debian = Path::new("/usr/sbin/pgbouncer");
    Command::new(if debian.exists() { debian } else { Path::new("pgbouncer") })
}

/// Returns whether this `PgBouncer` can keep prepared statements of clients, as releases since 1.21 can.
fn supports_prepared_statements() -> bool {
    let output = program().arg("--version").output().unwrap();
    let version = text(&output.stdout);
    let numbers = version.split(['.', ' ']).filter_map(|part| part.parse::<u32>().ok());
    numbers.take(2).collect::<Vec<_>>() >= vec![1, 21]
}

impl Pooler {
    /// Starts a pooler for this server with few sessions.
    ///
    /// `statements` is how many prepared statements it keeps for each client. `settings` are further lines of its
    /// configuration.
    fn start(server: &Server, statements: u32, settings: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = server.folder().join("pgbouncer.ini");
        let users = server.folder().join("users");
        let support = if supports_prepared_statements() {
            format!("max_prepared_statements = {statements}")
        } else {
            assert_eq!(statements, 0, "this PgBouncer does not support prepared statements");
            String::new()
        };
        fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        fs::write(
            &file,
            format!(
                "[databases]\n* = host=127.0.0.1 port={}\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = {SESSIONS}\n{support}\n{settings}\n",
                server.port(),
                users.display()
            ),
        )
        .unwrap();
        let owner = fs::metadata(server.folder()).unwrap();
        let mut command = program();
        command.arg("--quiet").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
        // PgBouncer refuses to run as root, as PostgreSQL does.
        let child = command.uid(owner.uid()).gid(owner.gid()).spawn().unwrap();
        let pooler = Pooler { child, url: format!("postgres://postgres@127.0.0.1:{port}/marie") };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        pooler
    }

    /// Starts clients that use sessions briefly, so that each transaction of the exporter gets another session.
    fn start_neighbours(&self) -> Vec<JoinHandle<()>> {
        let neighbour = |moment: u32| {
            let url = self.url.clone();
            tokio::spawn(async move {
                let mut session = client(&url).await;
                let sql = format!("begin; select pg_sleep({}); commit", f64::from(moment) / 1000.0);
                loop {
                    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut session).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(7)).await;
                }
            })
        };
        vec![neighbour(13), neighbour(29), neighbour(53)]
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects without `extra_float_digits`, a setting that `PgBouncer` rejects.
async fn client(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    options.extra_float_digits(None).connect().await.unwrap()
}

/// Returns the statements that are prepared in any of the pooler's sessions.
async fn prepared(pooler: &Pooler) -> Vec<String> {
    let (mut clients, mut names) = (Vec::new(), Vec::new());
    for _ in 0..SESSIONS {
        let mut client = client(&pooler.url).await;
        // Open transactions, so that each client gets a different session.
        run(&mut client, "begin").await;
        let rows =
            sqlx::raw_sql("select name from pg_prepared_statements").fetch_all(&mut client).await.unwrap();
        names.extend(rows.iter().map(|row| row.get::<String, _>("name")));
        clients.push(client);
    }
    names
}

async fn pooled(statements: u32) -> (Server, Pooler, PgConnection) {
    pooled_with(statements, "").await
}

async fn pooled_with(statements: u32, settings: &str) -> (Server, Pooler, PgConnection) {
    let server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    let admin = furnished(&url, Shape::New).await;
    let pooler = Pooler::start(&server, statements, settings);
    (server, pooler, admin)
}

/// Asserts that all collectors succeed in several runs and none fails.
fn assert_no_failures(watch: &Watch) {
    for _ in 0..3 {
        let metrics = watch.recovers();
        assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
        assert_eq!(metrics.count("marie_jobs", &[]), 1.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooler_without_prepared_statements_needs_url_setting() {
    let (server, pooler, _admin) = pooled(0).await;
    let neighbours = pooler.start_neighbours();
    let file = server.folder().join("url");
    fs::write(&file, &pooler.url).unwrap();
    let path = file.display().to_string();
    let arguments = ["serve", "--web.listen-address=127.0.0.1:0", "--database-url-file", &path];
    let start = || Process::start(command(&[&arguments, Watch::flags(&[]).as_slice()].concat()), 1);
    // Two exporters give their statements the same names.
    let first = start();
    crate::support::scrape::until_ready(first.address());
    let watch = Watch::attach(start(), INTERVAL);
    let failed = watch.until("a prepared statement is missing", |now| {
        now.count("marie_collector_failures_total", &[("reason", "other")]) > 0.0
    });
    assert!(failed.values("marie_jobs", &[]).iter().sum::<f64>() <= 1.0, "a wrong number");
    let advice = "add statement-cache-capacity=0 to the URL";
    watch.until("the page says what to do", |_| watch.page().contains(advice));

    fs::write(&file, format!("{}?statement-cache-capacity=0", pooler.url)).unwrap();
    // The runner reads the file when it reconnects, after its next failure.
    let failures = |now: &Metrics| now.count("marie_collector_failures_total", &[]);
    let runs = |now: &Metrics| now.count("marie_collector_runs_total", &[]);
    let last_failure = Cell::new((failures(&failed), runs(&failed)));
    watch.until("three rounds without a failure", |now| {
        if failures(now) > last_failure.get().0 {
            last_failure.set((failures(now), runs(now)));
        }
        let round = now.values("marie_collector_interval_seconds", &[]).len();
        runs(now) - last_failure.get().1 >= 3.0 * f64::from(u32::try_from(round).unwrap())
    });
    neighbours.iter().for_each(JoinHandle::abort);
    watch.end();
    first.end("TERM");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_prepared_behind_pooler() {
    let (server, pooler, _admin) = pooled(0).await;
    let neighbours = pooler.start_neighbours();
    let url = format!("{}?statement-cache-capacity=0", pooler.url);
    let watch = Watch::serve(&url, &[]);
    let second = Watch::serve(&url, &[]);
    assert_no_failures(&watch);
    assert_no_failures(&second);
    neighbours.iter().for_each(JoinHandle::abort);
    watch.end();
    second.end();
    assert_eq!(prepared(&pooler).await, Vec::<String>::new());
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooler_with_prepared_statements_needs_no_url_setting() {
    if !supports_prepared_statements() {
        eprintln!("skipped: PgBouncer supports prepared statements since 1.21");
        return;
    }
    let (server, pooler, _admin) = pooled(100).await;
    let neighbours = pooler.start_neighbours();
    let watch = Watch::serve(&pooler.url, &[]);
    assert_no_failures(&watch);
    neighbours.iter().for_each(JoinHandle::abort);
    watch.end();
    drop(server);
}

#[tokio::test]
async fn maintain_behind_pooler_is_refused_and_changes_no_session() {
    for settings in ["", "ignore_startup_parameters = options"] {
        let (_server, pooler, mut admin) = pooled_with(0, settings).await;
        let queues = "select json_agg(q order by name)::text from queue as q";
        let before: String = sqlx::query_scalar(queues).fetch_one(&mut admin).await.unwrap();
        let refused =
            output(&["maintain", "queue", "create", "new", "--execute", "--database-url", &pooler.url]);
        assert_eq!(refused.status.code(), Some(1));
        let errors = text(&refused.stderr);
        assert!(errors.contains("connect it to PostgreSQL itself"), "{errors}");
        let after: String = sqlx::query_scalar(queues).fetch_one(&mut admin).await.unwrap();
        assert_eq!(after, before);
        let mut clients = Vec::new();
        for _ in 0..SESSIONS {
            let mut client = client(&pooler.url).await;
            run(&mut client, "begin").await;
            let row = sqlx::raw_sql("show search_path").fetch_one(&mut client).await.unwrap();
            assert_eq!(row.get::<&str, _>(0), "\"$user\", public");
            clients.push(client);
        }
    }
}
