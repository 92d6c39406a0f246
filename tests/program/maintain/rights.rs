//! A role without the rights is refused with the missing rights, and nothing changes.

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::{Scheduler, maintain};
use crate::support::databases::NO_INDEXES;
use crate::support::process::{output, text};

#[tokio::test]
async fn exporter_role_changes_nothing() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 20, 0.55).await;
        scheduler.database.run(NO_INDEXES).await;
        let role = format!("watcher_{}", shape.name());
        let grants = output(&["grants", "--role", &role, "--database-url", &scheduler.database.url]);
        scheduler.database.run(&text(&grants.stdout)).await;
        let url = scheduler.database.url.replace("postgres@", &format!("{role}@"));
        let before = scheduler.snapshot().await;
        for arguments in [
            &["archive", "--older-than=7d", "--execute"][..],
            &["purge", "completed", "--older-than=7d", "--execute"],
            &["purge", "completed", "--older-than=7d", "--per-job", "--execute"],
            &["purge", "failed", "--older-than=0s", "--execute"],
        ] {
            let refused = maintain(&url, arguments).expect_refusal();
            assert!(
                refused.contains("lacks ") && refused.contains("DELETE on job"),
                "{arguments:?}: {refused}"
            );
            assert!(refused.contains("this takes a role that owns"), "{refused}");
        }
        // The shape `page` lacks the tables of these commands.
        if shape != Shape::Page {
            for arguments in [
                &["purge", "history", "--older-than=0s", "--execute"][..],
                &["purge", "all", "--execute"],
                &["queue", "set", "extract", "--retry-limit=9", "--execute"],
                &["queue", "create", "mine", "--execute"],
                &["indexes", "--execute"],
            ] {
                let refused = maintain(&url, arguments).expect_refusal();
                assert!(refused.contains("this takes a role that owns"), "{arguments:?}: {refused}");
            }
            let changed = "select count(*) from queue where retry_limit = 9 or name = 'mine'";
            assert_eq!(scheduler.count(changed).await, 0);
            assert!(scheduler.count("select count(*) from job_history").await > 0);
        }
        assert_eq!(scheduler.snapshot().await, before);
    }
}

#[tokio::test]
async fn unreachable_database_is_named() {
    let refused =
        maintain("postgres://absent@127.0.0.1:1/none", &["archive", "--older-than=7d"]).expect_refusal();
    assert!(refused.contains("cannot connect to PostgreSQL at 127.0.0.1:1"), "{refused}");
}
