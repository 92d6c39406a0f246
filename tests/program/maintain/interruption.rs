//! A maintaining command ends in time after a signal and on a dead network, whatever statement runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::PgConnection;

use crate::maintain::scheduler::Scheduler;
use crate::support::databases;
use crate::support::process::{command, send};
use crate::support::proxy::Proxy;

/// Longer than anything here takes, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// `maintain indexes --execute` in a statement that lasts as long as another session's transaction.
struct Waiting {
    scheduler: Scheduler,
    /// The session whose open transaction is waited for.
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
        let deadline = Instant::now() + PATIENCE;
        while scheduler.count(RUNNING).await == 0 {
            assert!(Instant::now() < deadline, "no statement waits");
        }
        Waiting { scheduler, _open: open, child, errors }
    }

    /// Waits for the end: its status, how long it took, and what was written to standard error.
    fn end(&mut self) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                send("KILL", self.child.id());
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = began.elapsed();
        let errors = self.errors.by_ref().lines().map_while(Result::ok).collect::<Vec<_>>().join("\n");
        (status.code(), took, errors)
    }

    fn until_logged(&mut self, what: &str) {
        let found = self.errors.by_ref().lines().map_while(Result::ok).any(|line| line.contains(what));
        assert!(found, "{what} is not logged");
    }
}

#[tokio::test]
async fn signal_cancels_running_statement() {
    for signal in ["INT", "TERM"] {
        let mut waiting = Waiting::start(str::to_owned).await;
        send(signal, waiting.child.id());
        let (code, took, errors) = waiting.end();
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains("interrupted in CREATE INDEX CONCURRENTLY"), "{errors}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        let deadline = Instant::now() + PATIENCE;
        while waiting.scheduler.count(SESSIONS).await > 0 {
            assert!(Instant::now() < deadline, "the server goes on");
        }
        eprintln!("{signal}: ended after {took:?}");
    }
}

#[tokio::test]
async fn dead_network_ends_maintain() {
    let mut proxy = None;
    let mut waiting = Waiting::start(|url| proxy.insert(Proxy::start(url)).url.clone()).await;
    proxy.unwrap().pause();
    let (code, took, errors) = waiting.end();
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
    waiting.until_logged("SIGINT: ending");
    send("INT", waiting.child.id());
    let (code, took, errors) = waiting.end();
    assert_eq!(code, Some(130), "{errors}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    eprintln!("second signal: ended after {took:?}");
}
