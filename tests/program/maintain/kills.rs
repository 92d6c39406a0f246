//! After a kill at a random moment every job is in exactly one table, every DAG is whole, and the archive can run again.

use std::process::Stdio;
use std::time::Duration;

use marie_exporter::demo::shape::Shape;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::maintain::scheduler::Scheduler;
use crate::support::process::{command, send};

const ARCHIVE: [&str; 5] = ["maintain", "archive", "--older-than=7d", "--batch=5", "--execute"];

/// Counts inconsistencies of jobs and DAGs. It is one statement, because the server may still run what the killed process
/// has sent.
const INCONSISTENCIES: &str = "with place as (
        select id, dag_id, 'job' as place from job union all select id, dag_id, 'archive' from archive
    )
    select format(
        '%s in both, %s of %s there, %s DAGs divided, %s left without jobs',
        (select count(*) from (select id from place group by id having count(*) > 1) as doubled),
        (select count(distinct id) from place),
        (select count(distinct id) from job_history),
        (select count(*) from (select dag_id from place group by dag_id having count(distinct place) > 1) as divided),
        (select count(*) from dag where id in (select dag_id from archive))
    ) as id";

/// Asserts that all jobs exist exactly once and that no DAG is divided.
async fn assert_consistent(scheduler: &mut Scheduler, all: usize) {
    let found = scheduler.ids(INCONSISTENCIES).await;
    let expected = format!("0 in both, {all} of {all} there, 0 DAGs divided, 0 left without jobs");
    assert_eq!(found, [expected].into());
}

#[tokio::test]
async fn random_kills_lose_and_duplicate_nothing() {
    let mut dice = StdRng::seed_from_u64(6);
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 250, 0.7).await;
        let all = scheduler.ids("select id from job").await.len();
        let expected = scheduler.jobs_of_finished_dags("7 days", "true").await;
        let mut killed = 0;
        for _ in 0..10 {
            let mut run = command(&ARCHIVE);
            run.args(["--database-url", &scheduler.database.url]);
            let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // The moment is random: before the login, during batches, or after them.
            let moment = Duration::from_millis(dice.random_range(20..900));
            tokio::time::sleep(moment).await;
            if child.try_wait().unwrap().is_none() {
                send("KILL", child.id());
                killed += 1;
            }
            child.wait().unwrap();
            assert_consistent(&mut scheduler, all).await;
        }
        assert!(killed > 2, "{killed} of 10 runs were killed on {}", shape.name());
        // The server releases the lock when it notices that the client is gone.
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).succeeded {
            assert!(std::time::Instant::now() < deadline, "the archive cannot run again");
        }
        assert_consistent(&mut scheduler, all).await;
        assert_eq!(scheduler.ids("select id from archive").await, expected);
    }
}

#[tokio::test]
async fn signal_ends_archive_after_batch_with_report() {
    let mut scheduler = Scheduler::new(Shape::Mid, 250, 0.7).await;
    let all = scheduler.ids("select id from job").await.len();
    let mut run = command(&ARCHIVE);
    run.args(["--database-url", &scheduler.database.url]);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while scheduler.count("select count(*) from archive").await == 0 {
        assert!(std::time::Instant::now() < deadline, "nothing is archived");
    }
    send("INT", child.id());
    let output = child.wait_with_output().unwrap();
    let (printed, errors) =
        (crate::support::process::text(&output.stdout), crate::support::process::text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{printed}{errors}");
    assert!(errors.contains("archive was interrupted; run it again for the rest"), "{errors}");
    assert_consistent(&mut scheduler, all).await;
    let archived = scheduler.count("select count(*) from archive").await;
    assert!(printed.contains(&format!("{archived} of the plan's ")), "{archived}: {printed}");
}
