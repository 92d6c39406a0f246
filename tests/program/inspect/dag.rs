//! `dags show`: the causes that block a DAG, each once, and the critical path.

use std::collections::BTreeSet;

use marie_exporter::demo::shape::Shape;
use serde_json::{Value, json};

use crate::inspect::in_process;
use crate::support::databases::Database;

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

const DAG: u32 = 1000;

/// Jobs of the DAG as (number, state, minutes since the start, minutes since the end, parents).
type Job = (u32, &'static str, Option<u32>, Option<u32>, &'static [u32]);

const JOBS: [Job; 14] = [
    (1, "completed", Some(100), Some(90), &[]),
    (2, "failed", Some(80), Some(70), &[1]),
    (3, "created", None, None, &[2]),
    (4, "retry", Some(60), None, &[2, 3]),
    (5, "active", Some(125), None, &[]),
    (6, "created", None, None, &[5]),
    // Both are deferred. The parent of the first is completed, the parent of the second is not.
    (7, "created", None, None, &[1]),
    (8, "created", None, None, &[7]),
    (9, "created", None, None, &[7777]),
    (10, "created", None, None, &[500]),
    (11, "created", None, None, &[12]),
    (12, "created", None, None, &[11]),
    (13, "cancelled", None, Some(50), &[1]),
    (14, "active", Some(1), Some(130), &[1]),
];

/// Creates a database with a DAG that is blocked by each cause.
async fn blocked_dag(shape: Shape) -> Database {
    let mut database = Database::new(shape).await;
    if shape != Shape::Page {
        let dags = format!(
            "insert into dag (id, name, state) values ('{}', 'mine', 'active'), ('{}', 'other', 'active')",
            id(DAG),
            id(DAG + 1)
        );
        database.run(&dags).await;
    }
    let other: (u32, Job) = (DAG + 1, (500, "active", Some(1), None, &[]));
    for (dag, (number, state, started, completed, parents)) in
        [other].into_iter().chain(JOBS.map(|job| (DAG, job)))
    {
        let time = |ago: Option<u32>| {
            ago.map_or("null".to_owned(), |ago| format!("now() - interval '{ago} minutes'"))
        };
        let parents = Value::from(parents.iter().map(|&parent| id(parent)).collect::<Vec<_>>());
        database
            .run(&format!(
                "insert into job (id, name, dag_id, state, started_on, completed_on, dependencies) values \
                 ('{}', 'extract', '{}', '{state}', {}, {}, '{parents}')",
                id(number),
                id(dag),
                time(started),
                time(completed)
            ))
            .await;
    }
    if shape != Shape::Page {
        let later = "update job set start_after = now() + interval '1 hour' where id in";
        database.run(&format!("{later} ('{}', '{}')", id(7), id(8))).await;
    }
    database
}

/// Returns each blocker as its reason, its job, and the number of waiting jobs.
fn blockers(shown: &Value) -> BTreeSet<(String, String, u64)> {
    let word = |blocker: &Value, key: &str| blocker[key].as_str().unwrap_or_default().to_owned();
    let blockers = shown["blocked_by"].as_array().unwrap();
    let set: BTreeSet<_> = blockers
        .iter()
        .map(|blocker| {
            (word(blocker, "reason"), word(blocker, "job"), blocker["jobs_waiting"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(set.len(), blockers.len(), "{shown}");
    set
}

#[tokio::test]
async fn each_cause_that_blocks_a_dag_is_listed_once() {
    for shape in Shape::ALL {
        let mut database = blocked_dag(shape).await;
        let shown = in_process::json(&database.url, &["dags", "show", &id(DAG)]).await;
        let mut expected = BTreeSet::from([
            ("failed".to_owned(), id(2), 2),
            ("stuck".to_owned(), id(5), 1),
            ("parent_missing".to_owned(), id(9), 1),
            ("other_dag".to_owned(), id(10), 1),
            ("cycle".to_owned(), id(11), 2),
            ("cancelled".to_owned(), id(13), 0),
        ]);
        if shape != Shape::Page {
            expected.insert(("deferred".to_owned(), id(7), 1));
        }
        assert_eq!(blockers(&shown), expected, "on {}", shape.name());

        let path: Vec<&str> = shown["critical_path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].as_str().unwrap())
            .collect();
        assert_eq!(path, [id(5), id(6)], "on {}", shape.name());
        assert_eq!(shown["jobs"].as_array().unwrap().len(), JOBS.len());
        let progress = json!({"total_jobs": 14, "completed": 1, "waiting": 9, "active": 2, "failed": 1, "other": 1, "progress_pct": 21.4});
        assert_eq!(shown["progress"], progress);

        if shape != Shape::Page {
            database.run("update dag set state = 'failed'").await;
            let shown = in_process::json(&database.url, &["dags", "show", &id(DAG)]).await;
            expected.insert(("dag_finished".to_owned(), String::new(), 11));
            assert_eq!(blockers(&shown), expected, "on {}", shape.name());
        }
        database.run("update job set state = 'completed' where state not in ('failed', 'cancelled')").await;
        let shown = in_process::json(&database.url, &["dags", "show", &id(DAG)]).await;
        assert_eq!(shown["blocked_by"], json!([]), "on {}", shape.name());
    }
}

#[tokio::test]
async fn missing_dependency_table_gives_the_same_answers() {
    let mut database = blocked_dag(Shape::New).await;
    let before = in_process::json(&database.url, &["dags", "show", &id(DAG)]).await;
    let parents = in_process::json(&database.url, &["jobs", "show", &id(4)]).await["parents"].clone();
    let children = in_process::json(&database.url, &["jobs", "show", &id(1)]).await["children"].clone();
    assert_eq!((parents.as_array().unwrap().len(), children.as_array().unwrap().len()), (2, 4));
    database.run("drop table job_dependencies cascade").await;
    let after = in_process::json(&database.url, &["dags", "show", &id(DAG)]).await;
    assert_eq!(blockers(&before), blockers(&after));
    assert_eq!(parents, in_process::json(&database.url, &["jobs", "show", &id(4)]).await["parents"]);
    assert_eq!(children, in_process::json(&database.url, &["jobs", "show", &id(1)]).await["children"]);
}

/// Clients write the lists. PostgreSQL reads each of these spellings as the same id.
#[tokio::test]
async fn child_is_found_with_each_spelling_of_the_id() {
    let mut database = Database::new(Shape::Page).await;
    let parent = "abcdef01-2d3e-7f00-8000-00000000000a";
    let bare = parent.replace('-', "");
    let lists = [
        json!([parent]),
        json!([id(9), parent.to_uppercase()]),
        json!([bare, "no id", 7, null]),
        json!([bare.to_uppercase(), bare.to_uppercase()]),
        json!([id(9)]),
        json!([[parent]]),
        json!(parent),
        json!({parent: [parent]}),
        json!(null),
    ];
    let others = lists.iter().zip(1..).map(|(list, number)| (id(number), list));
    for (job, list) in others.chain([(parent.to_owned(), &json!([]))]) {
        let insert = "insert into job (id, name, dag_id, dependencies)";
        database.run(&format!("{insert} values ('{job}', 'extract', '{}', '{list}')", id(DAG))).await;
    }
    let by_index = "create index on job using gin (dependencies jsonb_path_ops);
        do $$ begin execute format('alter database %I set enable_seqscan = off', current_database()); end $$";
    for index in ["", by_index] {
        database.run(index).await;
        let shown = in_process::json(&database.url, &["jobs", "show", parent]).await;
        let children =
            shown["children"].as_array().unwrap().iter().map(|child| child["id"].as_str().unwrap());
        assert_eq!(children.collect::<Vec<_>>(), [id(1), id(2), id(3), id(4)], "{index}");
    }
}

#[tokio::test]
async fn missing_dependency_columns_leave_other_blockers() {
    let mut database = blocked_dag(Shape::Mid).await;
    database
        .run(
            "drop table job_dependencies cascade; alter table job drop column dependencies cascade;
              update dag set state = 'failed'",
        )
        .await;
    let shown = in_process::json(&database.url, &["dags", "show", &id(DAG)]).await;
    let blockers: Vec<_> = shown["blocked_by"]
        .as_array()
        .unwrap()
        .iter()
        .map(|blocker| {
            (blocker["reason"].as_str().unwrap(), blocker["job"].clone(), blocker["jobs_waiting"].clone())
        })
        .collect();
    let of_job = |reason, number| (reason, json!(id(number)), json!(null));
    assert_eq!(blockers[0], ("dag_finished", json!(null), json!(11)));
    let mut others = blockers[1..].to_vec();
    others.sort_by_key(|(_, job, _)| job.to_string());
    assert_eq!(others, [of_job("failed", 2), of_job("stuck", 5), of_job("cancelled", 13)]);
    let note = shown["blocked_by_note"].as_str().unwrap();
    assert!(note.contains("no column job.dependencies"), "{note}");
    assert!(shown.get("critical_path").is_none(), "{shown}");
    let text = in_process::text(&database.url, &["dags", "show", &id(DAG)]).await;
    assert!(text.contains("\nBLOCKED BY\n") && text.contains(note), "{text}");
}

#[tokio::test]
async fn missing_job_or_dag_is_an_error_with_the_reason() {
    for shape in Shape::ALL {
        let mut database = Database::new(shape).await;
        let error =
            in_process::run(&database.url, &["dags", "show", &id(DAG)]).await.unwrap_err().to_string();
        assert!(error.contains(&format!("no DAG {}", id(DAG))) && error.contains("purged"), "{error}");
        let show = ["jobs", "show", &id(1)];
        let error = in_process::run(&database.url, &show).await.unwrap_err().to_string();
        assert!(error.contains(&format!("no job {}", id(1))) && error.contains("purged"), "{error}");
        if shape != Shape::Page {
            database
                .run(&format!(
                    "insert into archive (id, name, dag_id, state) values ('{}', 'extract', '{}', 'completed')",
                    id(1),
                    id(DAG)
                ))
                .await;
            let error = in_process::run(&database.url, &show).await.unwrap_err().to_string();
            assert!(error.contains("in the archive since 20") && error.contains("completed"), "{error}");
        }
    }
}

#[tokio::test]
async fn huge_dag_table_shows_100_jobs_and_json_all() {
    let mut database = Database::new(Shape::New).await;
    let dag = id(DAG);
    database
        .run(&format!(
            "insert into dag (id, name, state) values ('{dag}', 'huge', 'active');
             alter table job disable trigger all;
             insert into job (id, name, dag_id, state, dependencies)
             select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'extract', '{dag}',
                 (case when n % 100 = 0 then 'created' else 'completed' end)::job_state,
                 case when n = 0 then '[]' else jsonb_build_array('00000000-0000-4000-8000-' || lpad((n - 1)::text, 12, '0')) end
             from generate_series(0, 4999) as n"
        ))
        .await;
    let text = in_process::text(&database.url, &["dags", "show", &dag]).await;
    let (_, jobs) = text.split_once("\nJOBS\n").unwrap();
    assert_eq!(jobs.lines().count(), 102, "{jobs}");
    assert_eq!(jobs.matches(" created ").count(), 50);
    assert!(jobs.ends_with("and 4900 more; --format=json has them all"), "{jobs}");
    let shown = in_process::json(&database.url, &["dags", "show", &dag]).await;
    assert_eq!(shown["jobs"].as_array().unwrap().len(), 5000);
    assert_eq!(shown["critical_path"].as_array().unwrap().len(), 5000);
}
