//! The queries that the runbooks tell a person to paste: each runs on each shape with all of Marie's tables.

use marie_exporter::demo::shape::Shape;

use crate::queries::scheduler::Scheduler;

/// Every statement between backticks.
fn statements() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/alerts/runbooks.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let statements = quoted.filter(|code| code.starts_with("select ") || code.starts_with("with "));
    statements.map(|statement| statement.replace("marie_scheduler.", "")).collect()
}

#[tokio::test]
async fn what_a_runbook_says_to_paste_can_be_pasted() {
    let statements = statements();
    assert!(statements.len() > 10, "{statements:#?}");
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        for statement in &statements {
            scheduler.execute(statement).await;
        }
    }
}
