//! `maintain archive` is refused if the archive has no place for a column. The message names the column.

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;

#[tokio::test]
async fn column_without_place_is_named_and_nothing_moves() {
    for (shape, columns) in
        [(Shape::Mid, vec!["branch_metadata"]), (Shape::New, vec!["branch_metadata", "run_attempt_id"])]
    {
        let mut scheduler = Scheduler::new(shape, 30, 0.4).await;
        for column in &columns {
            scheduler.database.run(&format!("alter table archive drop column {column}")).await;
        }
        let before = scheduler.snapshot().await;
        let refused = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_refusal();
        for column in &columns {
            assert!(refused.contains(&format!("--allow-dropping {column}")), "{refused}");
            assert!(refused.contains(&format!("ADD COLUMN \"{column}\"")), "{refused}");
        }
        assert_eq!(scheduler.snapshot().await, before);

        let one = [&["archive", "--older-than=7d", "--execute", "--allow-dropping"], &columns[..1]].concat();
        let outcome = scheduler.maintain(&one);
        assert_eq!(outcome.succeeded, columns.len() == 1, "{outcome:?}");
        let wrong =
            scheduler.maintain(&["archive", "--older-than=7d", "--allow-dropping=state"]).expect_refusal();
        assert!(wrong.contains("nothing of a column \"state\" would be lost"), "{wrong}");
    }
}

#[tokio::test]
async fn printed_sql_makes_room_in_archive() {
    let mut scheduler = Scheduler::new(Shape::New, 30, 0.5).await;
    scheduler
        .database
        .run("alter table archive drop column branch_metadata, drop column run_attempt_id")
        .await;
    scheduler.database.run("update job set branch_metadata = '{\"skipped\": true}'").await;
    let refused = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_refusal();
    for statement in refused.lines().filter(|line| line.trim_start().starts_with("ALTER TABLE")) {
        scheduler.database.run(statement).await;
    }
    scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
    let archived = scheduler.count("select count(*) from archive").await;
    assert!(archived > 10);
    let kept = "select count(*) from archive where branch_metadata = '{\"skipped\": true}'";
    assert_eq!(scheduler.count(kept).await, archived);
}

#[tokio::test]
async fn column_with_narrower_type_is_named() {
    let mut scheduler = Scheduler::new(Shape::Mid, 30, 0.4).await;
    scheduler
        .database
        .run("alter table archive alter completed_on type date, alter priority type bigint, alter state type text")
        .await;
    let before = scheduler.snapshot().await;
    let refused = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_refusal();
    assert!(refused.contains("ALTER COLUMN \"completed_on\" TYPE timestamp with time zone;"), "{refused}");
    assert!(
        !refused.contains("priority") && !refused.contains("\"state\""),
        "wide enough columns are named: {refused}"
    );
    assert_eq!(scheduler.snapshot().await, before);
    let given_up = ["archive", "--older-than=7d", "--execute", "--allow-dropping=completed_on"];
    scheduler.maintain(&given_up).expect_success();
}

#[tokio::test]
async fn archive_that_rejects_rows_is_refused() {
    let mut scheduler = Scheduler::new(Shape::Mid, 5, 0.4).await;
    scheduler.database.run("alter table archive add column reason text not null").await;
    let refused = scheduler.maintain(&["archive", "--older-than=7d"]).expect_refusal();
    assert!(refused.contains("requires a value for reason, which jobs do not have"), "{refused}");
    scheduler.database.run("alter table archive drop column reason, drop column archived_on").await;
    let refused = scheduler.maintain(&["archive", "--older-than=7d"]).expect_refusal();
    let made = refused.lines().find(|line| line.trim_start().starts_with("ALTER TABLE")).unwrap();
    scheduler.database.run(made).await;
    scheduler.maintain(&["archive", "--older-than=7d"]).expect_success();
}

#[tokio::test]
async fn missing_archive_table_is_refused() {
    let mut scheduler = Scheduler::new(Shape::Page, 10, 0.5).await;
    scheduler.database.run("drop table archive").await;
    let refused = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_refusal();
    assert!(refused.contains("there is no table archive in the schema \"marie_scheduler\""), "{refused}");
}
