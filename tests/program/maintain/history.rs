//! `maintain purge history` deletes exactly the rows that were written before the cut-off.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;
use crate::support::databases;
use crate::support::process::{command, text};

#[tokio::test]
async fn purge_history_deletes_only_old_rows() {
    for shape in [Shape::Old, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 60, 0.35).await;
        // Numbers follow time, as in real histories. The cut-off is between the first and the last row.
        scheduler
            .database
            .run(
                "update job_history set history_created_on = now() - interval '60 days' + history_id * interval '2 hours';
                 update dag_history set history_created_on = now() - interval '60 days' + history_id * interval '1 day'",
            )
            .await;
        for table in ["job_history", "dag_history"] {
            let old =
                format!("select count(*) from {table} where history_created_on < now() - interval '30 days'");
            assert!(scheduler.count(&old).await > 10, "{table}");
        }
        let new = |table| {
            format!("select count(*) from {table} where history_created_on >= now() - interval '30 days'")
        };
        let kept = [scheduler.count(&new("job_history")).await, scheduler.count(&new("dag_history")).await];
        let all = scheduler
            .count("select (select count(*) from job_history) + (select count(*) from dag_history)")
            .await;
        let planned = scheduler.maintain(&["purge", "history", "--older-than=30d"]).expect_success();
        assert!(planned.contains("Nothing was changed."), "{planned}");
        let counted: i64 =
            planned.lines().filter_map(|line| line.split_once(" rows of ")?.0.parse::<i64>().ok()).sum();
        let printed = scheduler
            .maintain(&["purge", "history", "--older-than=30d", "--batch=7", "--execute"])
            .expect_success();
        let left = [
            scheduler.count("select count(*) from job_history").await,
            scheduler.count("select count(*) from dag_history").await,
        ];
        assert_eq!(left, kept, "{printed}");
        assert_eq!(counted, all - left[0] - left[1], "{planned}");
        let again =
            scheduler.maintain(&["purge", "history", "--older-than=30d", "--execute"]).expect_success();
        assert!(again.contains("There is nothing to do."), "{again}");
    }
}

#[tokio::test]
async fn missing_history_table_is_reported() {
    let scheduler = Scheduler::new(Shape::Page, 5, 0.35).await;
    let printed = scheduler.maintain(&["purge", "history", "--older-than=1d", "--execute"]).expect_success();
    assert!(printed.contains("The schema has no table job_history."), "{printed}");
}

#[tokio::test]
async fn locked_history_row_is_deleted_once_it_is_free() {
    let mut scheduler = Scheduler::new(Shape::New, 10, 0.35).await;
    scheduler.database.run("update job_history set history_created_on = now() - interval '60 days'").await;
    let mut holder = scheduler.database.session().await;
    databases::run(&mut holder, "begin; select from job_history order by history_id limit 1 for update")
        .await;
    let mut purge = command(&["maintain", "purge", "history", "--older-than=30d", "--execute"]);
    purge.args(["--database-url", &scheduler.database.url]);
    let mut child = purge.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let waits =
        errors.by_ref().lines().map_while(Result::ok).any(|line| line.contains("locked; trying again"));
    assert!(waits, "no retry was logged");
    databases::run(&mut holder, "rollback").await;
    let mut rest = Vec::new();
    errors.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{}", text(&rest));
    assert_eq!(scheduler.count("select count(*) from job_history").await, 0);
}
