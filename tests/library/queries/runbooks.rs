//! Each query in the runbooks runs on each shape with all of Marie's tables.

use marie_exporter::demo::shape::Shape;

use crate::queries::scheduler::Scheduler;

/// Returns every statement between backticks.
fn statements() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/alerts/runbooks.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let statements = quoted.filter(|code| code.starts_with("select ") || code.starts_with("with "));
    statements.map(|statement| statement.replace("marie_scheduler.", "")).collect()
}

#[tokio::test]
async fn queries_in_runbooks_run_on_every_shape() {
    let statements = statements();
    assert!(statements.len() > 10, "{statements:#?}");
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape).await;
        for statement in &statements {
            scheduler.execute(statement).await;
        }
    }
}
