//! `maintain indexes` makes what `check` recommends, and makes anew what an interrupted run left unfinished.

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::process::{output, text};
use crate::scheduler::Scheduler;

fn advice(scheduler: &Scheduler) -> usize {
    let told = output(&["check", "--format=json", "--database-url", &scheduler.database.url]);
    let report: Value = serde_json::from_str(&text(&told.stdout)).unwrap();
    report["advice"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_an_interrupted_run_has_made_is_kept() {
    for shape in [Shape::Old, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 20, 0.75).await;
        let planned = scheduler.maintain(&["indexes"]).expect();
        let statements: Vec<&str> = planned.lines().filter(|line| line.starts_with("CREATE INDEX")).collect();
        assert!(statements.len() > 2, "{planned}");
        for statement in &statements[..2] {
            scheduler.database.run(statement).await;
        }
        scheduler.maintain(&["indexes", "--execute"]).expect();
        assert_eq!(advice(&scheduler), 0, "{}", shape.name());
    }
}

#[tokio::test]
async fn afterwards_nothing_is_recommended_any_more() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 20, 0.75).await;
        let wanted = advice(&scheduler);
        assert!(wanted > 0, "{}", shape.name());
        let planned = scheduler.maintain(&["indexes"]).expect();
        assert!(planned.contains("Nothing was changed."), "{planned}");
        assert_eq!(advice(&scheduler), wanted);
        scheduler.maintain(&["indexes", "--execute"]).expect();
        assert_eq!(advice(&scheduler), 0, "{}", shape.name());
        let again = scheduler.maintain(&["indexes", "--execute"]).expect();
        assert!(again.contains("There is nothing to do"), "{again}");

        // As CREATE INDEX CONCURRENTLY leaves it that was interrupted.
        let ours = "c.oid = i.indexrelid and starts_with(c.relname, 'marie_exporter_') and c.relkind = 'i'
            and not c.relispartition";
        let unfinished =
            format!("select count(*) from pg_index as i join pg_class as c on {ours} where not indisvalid");
        scheduler
            .database
            .run(&format!("update pg_index as i set indisvalid = false from pg_class as c where {ours}"))
            .await;
        assert!(scheduler.count(&unfinished).await > 0);
        scheduler.maintain(&["indexes", "--execute"]).expect();
        assert_eq!((scheduler.count(&unfinished).await, advice(&scheduler)), (0, 0), "{}", shape.name());
    }
}
