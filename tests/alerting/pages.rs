//! One trouble after the other, each mended before the next.

use std::time::Duration;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::PgConnection;

use crate::databases::{furnished, run};
use crate::process::{self, Process};
use crate::prometheus::free_port;
use crate::stack::Stack;

fn exporter(url: &str, port: u16) -> Process {
    let mut command = process::command(&["serve", "--database-url", url, "--stuck.after=2s"]);
    command.args([
        "--collector.interval=500ms",
        "--collector.slow-interval=1s",
        "--collector.stale-after=3s",
    ]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Process::start(command, 1)
}

/// A job of the queue `extract`, in the DAG that there is.
fn job(columns: &str, values: &str) -> String {
    format!(
        "insert into job (id, name, dag_id, {columns})
         values (gen_random_uuid(), 'extract', md5('dag')::uuid, {values})"
    )
}

/// What ends each job's trouble.
const MEND: &str = "update job set state = 'completed', completed_on = now() where state <> 'completed'";

/// One trouble: it pages under this name, nobody is paged for anything else, and its mending is told.
async fn pages(stack: &Stack, admin: &mut PgConnection, alert: &str, trouble: &str) {
    stack.receiver.forget();
    run(admin, trouble).await;
    let paged = stack.until_paged(alert, "extract", "firing");
    let told =
        stack.receiver.told("pages").into_iter().find(|told| told.labels["alertname"] == alert).unwrap();
    assert!(told.annotations["summary"].contains("queue extract"), "{told:?}");
    assert_eq!(stack.paged().into_iter().collect::<Vec<_>>(), [alert]);
    run(admin, MEND).await;
    let mended = stack.until_paged(alert, "extract", "resolved");
    eprintln!("{alert}: paged after {:.1} s, over after {:.1} s", paged.as_secs_f64(), mended.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_on_call_is_paged_for_each_trouble_and_told_when_it_is_over() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = furnished(&url, Shape::New).await;
    run(&mut admin, MEND).await;
    let ports = [free_port(), free_port()];
    let mut exporters = ports.map(|port| Some(exporter(&url, port)));
    let stack = Stack::start(&ports);
    stack.until("the jobs are seen", || {
        stack.query("queue_state:marie_jobs:max").is_some_and(|found| found > 0)
    });

    // Prometheus was there before its first scrape, and with a `for` of a second that is a page already.
    stack.until("nothing is amiss", || {
        stack.query("ALERTS{alertstate=\"firing\", severity=\"page\"}") == Some(0)
    });
    std::thread::sleep(Duration::from_secs(3));
    stack.receiver.forget();

    // A while in which all is well: with intervals this short it is minutes of the field's.
    std::thread::sleep(Duration::from_secs(8));
    assert!(stack.receiver.told("pages").is_empty(), "{:#?}", stack.receiver.told("pages"));

    pages(
        &stack,
        &mut admin,
        "MarieJobsStuck",
        &job("state, started_on", "'active', now() - interval '1 hour'"),
    )
    .await;
    pages(
        &stack,
        &mut admin,
        "MarieHardSlaBreached",
        &job(
            "start_after, hard_sla, created_on",
            "now() + interval '1 hour', now(), now() - interval '1 hour'",
        ),
    )
    .await;
    pages(&stack, &mut admin, "MarieJobFailed", &job("state, completed_on", "'failed', now()")).await;

    // One exporter of two away is no page.
    stack.receiver.forget();
    exporters[1] = None;
    std::thread::sleep(Duration::from_secs(5));
    assert!(stack.paged().is_empty(), "{:?}", stack.paged());

    // Both away is one, and what was paged before is not said to be over.
    run(&mut admin, &job("state, started_on", "'active', now() - interval '1 hour'")).await;
    stack.until_paged("MarieJobsStuck", "extract", "firing");
    exporters[0] = None;
    let blind = stack.until_paged("MarieExporterDown", "", "firing");
    std::thread::sleep(Duration::from_secs(5));
    let is_over = |alert: &str| {
        stack
            .receiver
            .told("pages")
            .iter()
            .any(|told| told.labels["alertname"] == alert && told.status == "resolved")
    };
    assert!(!is_over("MarieJobsStuck"), "a page ended because nobody could see");
    exporters[0] = Some(exporter(&url, ports[0]));
    let seen = stack.until_paged("MarieExporterDown", "", "resolved");
    eprintln!(
        "MarieExporterDown: paged after {:.1} s, over after {:.1} s",
        blind.as_secs_f64(),
        seen.as_secs_f64()
    );
    run(&mut admin, MEND).await;
    stack.until("the stuck job's page is over", || is_over("MarieJobsStuck"));

    // The database away.
    stack.receiver.forget();
    server.stop().unwrap();
    let blind = stack.until_paged("MarieDatabaseUnreachable", "", "firing");
    server.start_again().unwrap();
    let seen = stack.until_paged("MarieDatabaseUnreachable", "", "resolved");
    eprintln!(
        "MarieDatabaseUnreachable: paged after {:.1} s, over after {:.1} s",
        blind.as_secs_f64(),
        seen.as_secs_f64()
    );
}
