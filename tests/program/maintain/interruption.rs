//! A maintaining command ends soon after a signal and on a dead network, even during a statement that runs for long.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::PgConnection;

use crate::maintain::scheduler::Scheduler;
use crate::support::databases;
use crate::support::process::{command, send};
use crate::support::proxy::Proxy;

/// More than each step takes, even on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(40);

/// `maintain indexes --execute` during a statement that waits for another session's transaction.
struct Waiting {
    scheduler: Scheduler,
    /// The session with the open transaction.
    _open: PgConnection,
    child: Child,
    errors: BufReader<ChildStderr>,
}

const RUNNING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and query like 'CREATE INDEX CONCURRENTLY%' and state = 'active'
        and wait_event_type = 'Lock'";
const SESSIONS: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'marie-exporter'";

impl Waiting {
    async fn start(url: impl FnOnce(&str) -> String) -> Self {
        let mut scheduler = Scheduler::new(Shape::New, 5, 0.5).await;
        let mut open = scheduler.database.session().await;
        databases::run(
            &mut open,
            "begin isolation level repeatable read; update job set priority = priority",
        )
        .await;
        let mut run = command(&["maintain", "indexes", "--execute"]);
        run.args(["--database-url", &url(&scheduler.database.url)]);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let deadline = Instant::now() + DEADLINE;
        while scheduler.count(RUNNING).await == 0 {
            assert!(Instant::now() < deadline, "no statement waits");
        }
        Waiting { scheduler, _open: open, child, errors }
    }

    /// Waits for the end of the command. Returns its exit code, how long it took, and the rest of its standard error.
    fn wait_for_end(&mut self) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > DEADLINE {
                send("KILL", self.child.id());
                panic!("the command does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = began.elapsed();
        let errors = self.errors.by_ref().lines().map_while(Result::ok).collect::<Vec<_>>().join("\n");
        (status.code(), took, errors)
    }

    /// Reads standard error up to a line that contains the text.
    fn wait_for_log(&mut self, text: &str) {
        let found = self.errors.by_ref().lines().map_while(Result::ok).any(|line| line.contains(text));
        assert!(found, "{text} is not logged");
    }
}

#[tokio::test]
async fn signal_cancels_running_statement() {
    for signal in ["INT", "TERM"] {
        let mut waiting = Waiting::start(str::to_owned).await;
        send(signal, waiting.child.id());
        let (code, took, errors) = waiting.wait_for_end();
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains("interrupted in CREATE INDEX CONCURRENTLY"), "{errors}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        let deadline = Instant::now() + DEADLINE;
        while waiting.scheduler.count(SESSIONS).await > 0 {
            assert!(Instant::now() < deadline, "the statement still runs on the server");
        }
        eprintln!("{signal}: ended after {took:?}");
    }
}

#[tokio::test]
async fn dead_network_ends_maintain() {
    let mut proxy = None;
    let mut waiting = Waiting::start(|url| proxy.insert(Proxy::start(url)).url.clone()).await;
    proxy.unwrap().pause();
    let (code, took, errors) = waiting.wait_for_end();
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("the database has not answered for 10 s"), "{errors}");
    eprintln!("dead network: ended after {took:?}");
    assert!(took < Duration::from_secs(25), "{took:?}");
}

#[tokio::test]
async fn second_signal_ends_at_once() {
    let mut proxy = None;
    let mut waiting = Waiting::start(|url| proxy.insert(Proxy::start(url)).url.clone()).await;
    proxy.unwrap().pause();
    send("INT", waiting.child.id());
    waiting.wait_for_log("SIGINT: shutting down");
    send("INT", waiting.child.id());
    let (code, took, errors) = waiting.wait_for_end();
    assert_eq!(code, Some(130), "{errors}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    eprintln!("second signal: ended after {took:?}");
}
