//! `maintain queue create` and `maintain queue set`.

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;

#[tokio::test]
async fn queue_is_created_and_changed() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 3, 0.65).await;
        let create = ["queue", "create", "high-priority", "--retry-limit=2", "--retry-backoff=true"];
        let planned = scheduler.maintain(&create).expect_success();
        assert!(planned.contains("Nothing was changed."), "{planned}");
        let is_there =
            "select count(*) from queue where name = 'high-priority' and retry_limit = 2 and retry_backoff";
        assert_eq!(scheduler.count(is_there).await, 0);
        scheduler.maintain(&[&create[..], &["--execute"]].concat()).expect_success();
        assert_eq!(scheduler.count(is_there).await, 1);
        // The queue accepts jobs.
        scheduler
            .database
            .run("insert into job (id, name, dag_id) select gen_random_uuid(), 'high-priority', id from dag limit 1")
            .await;
        let refused = scheduler.maintain(&[&create[..], &["--execute"]].concat()).expect_refusal();
        assert!(refused.contains("there is a queue high-priority already"), "{refused}");

        let set = ["queue", "set", "high-priority", "--retry-limit=3", "--execute"];
        let printed = scheduler.maintain(&set).expect_success();
        assert!(printed.contains("retry_limit: 2 → 3"), "{printed}");
        let is_set =
            "select count(*) from queue where name = 'high-priority' and retry_limit = 3 and retry_backoff";
        assert_eq!(scheduler.count(is_set).await, 1);
        let refused =
            scheduler.maintain(&["queue", "set", "missing", "--retry-limit=3", "--execute"]).expect_refusal();
        assert!(refused.contains("there is no queue missing"), "{refused}");
        let refused = scheduler.maintain(&["queue", "set", "extract"]).expect_refusal();
        assert!(refused.contains("nothing to set"), "{refused}");
    }
}

#[tokio::test]
async fn invalid_queue_name_is_refused() {
    let scheduler = Scheduler::new(Shape::New, 1, 0.65).await;
    for name in ["", "a b", "x'; drop table job; --", "ä", &"x".repeat(256)] {
        let outcome = scheduler.maintain(&["queue", "create", "--execute", name]);
        assert!(!outcome.succeeded && outcome.errors.contains("invalid value"), "{outcome:?}");
    }
    let page = Scheduler::new(Shape::Page, 1, 0.65).await;
    let refused = page.maintain(&["queue", "create", "extract", "--execute"]).expect_refusal();
    assert!(refused.contains("cannot read the table queue"), "{refused}");
}
