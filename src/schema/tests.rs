//! Which index serves a query.

use super::*;

fn with_index(columns: &[&str], predicate: Option<&str>) -> Schema {
    Schema {
        indexes: vec![FoundIndex {
            table: "job".to_owned(),
            columns: columns.iter().map(ToString::to_string).collect(),
            predicate: predicate.map(str::to_owned),
        }],
        ..Schema::default()
    }
}

#[test]
fn index_is_usable_by_its_first_columns_and_rows() {
    let completed = Index { table: "job", columns: &["completed_on"], predicate: None };
    let retried = Index { table: "job", columns: &["name"], predicate: Some("retry_count > 0") };
    let rewritten = Index { table: "job", columns: &["id"], predicate: Some("state <> 'completed'") };
    let open =
        Index { table: "job", columns: &["id"], predicate: Some("state not in ('completed', 'failed')") };
    let printed = "((state)::text <> ALL ((ARRAY['completed'::character varying, \
                   'failed'::character varying])::text[]))";
    for (serves, wanted, columns, predicate) in [
        (true, &completed, ["completed_on"].as_slice(), None),
        (true, &completed, &["completed_on", "name"], Some("(completed_on IS NOT NULL)")),
        (false, &completed, &["name", "completed_on"], None),
        (false, &completed, &["completed_on"], Some("(state = 'failed'::job_state)")),
        (true, &retried, &["name"], Some("(retry_count > 0)")),
        (false, &retried, &["name"], None),
        (true, &open, &["id", "state"], Some(printed)),
        (true, &rewritten, &["id"], Some("(state <> 'completed'::marie_scheduler.job_state)")),
        (true, &rewritten, &["id"], Some(r#"(state <> 'completed'::"the ""best"" (one)".job_state)"#)),
        (true, &rewritten, &["id"], Some("(state <> 'completed'::text)")),
        (false, &rewritten, &["id"], Some("(state <> 'failed'::job_state)")),
    ] {
        assert_eq!(with_index(columns, predicate).has_index(wanted), serves, "{columns:?} {predicate:?}");
    }
}
