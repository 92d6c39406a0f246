//! Each list equals the SQL of the maintenance page, where that is right, on the same random tables.

use marie_exporter::demo::shape::Shape;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};

use crate::inspect::in_process;
use crate::support::databases::Database;
use crate::support::long_tests::is_long_run;
use crate::support::random_tables::filled;

/// Returns the rows of a query as JSON.
pub(crate) async fn rows(database: &mut Database, sql: &str) -> Vec<Value> {
    let statement = AssertSqlSafe(format!("select to_json(oracle)::text from ({sql}) as oracle"));
    let rows = sqlx::query(statement).persistent(false).fetch_all(&mut database.admin).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
}

async fn ids(database: &mut Database, sql: &str) -> Vec<Value> {
    rows(database, sql).await.into_iter().map(|row| row["id"].clone()).collect()
}

pub(crate) fn sorted(mut values: Vec<Value>) -> Vec<String> {
    values.sort_by_key(Value::to_string);
    values.into_iter().map(|value| value.to_string()).collect()
}

/// Asserts that a list has the ids of the oracle, in its order if it has one.
async fn assert_same(database: &mut Database, words: &[&str], oracle: &str) {
    let ours = in_process::column(&database.url, words, "id").await;
    let theirs = ids(database, oracle).await;
    if oracle.contains("order by") {
        assert_eq!(ours, theirs, "{words:?}");
    } else {
        assert_eq!(sorted(ours), sorted(theirs), "{words:?}");
    }
}

/// Runs the check on each shape, with a different seed each.
pub(crate) async fn on_each_shape(check: impl AsyncFn(Shape, &mut Database)) {
    for (shape, seed) in Shape::ALL.into_iter().zip([0.25, 0.5, 0.75, 0.125]) {
        check(shape, &mut filled(shape, seed).await).await;
    }
}

#[tokio::test]
async fn each_job_filter_lists_the_jobs_of_the_maintenance_page() {
    on_each_shape(async |_, database| {
        let dag =
            ids(database, "select dag_id as id from job group by dag_id order by count(*) desc limit 1")
                .await;
        let dag = dag[0].as_str().unwrap();
        let all = "select id from job where true";
        for (words, condition) in [
            (&["--state=active"] as &[&str], "and state = 'active'"),
            (&["--state=failed"], "and state = 'failed'"),
            (&["--state=retry", "--state=created"], "and state in ('retry', 'created')"),
            (&["--queue=we\"ird\\que, 🦀"], "and name = $q$we\"ird\\que, 🦀$q$"),
            (&["--queue=none"], "and false"),
            (&["--dag", dag], &format!("and dag_id = '{dag}'")),
            (&["--since=2h"], "and created_on > now() - interval '2 hours'"),
            (&["--metadata=doc_type=invoice"], "and data->'metadata'->>'doc_type' = 'invoice'"),
            (
                &["--metadata=doc_type=invoice", "--metadata=doc_id=3"],
                "and data->'metadata'->>'doc_type' = 'invoice' and data->'metadata'->>'doc_id' = '3'",
            ),
            (
                &["--metadata=doc_type=contract", "--state=active", "--queue=extract", "--since=12h"],
                "and data->'metadata'->>'doc_type' = 'contract' and state = 'active' and name = 'extract'
                 and created_on > now() - interval '12 hours'",
            ),
            (&[], ""),
        ] {
            let words: Vec<&str> = ["jobs", "list"].iter().chain(words).copied().collect();
            assert_same(database, &words, &format!("{all} {condition} order by id desc")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_together_have_each_row_once() {
    on_each_shape(async |shape, database| {
        let mut lists = vec![
            vec!["jobs", "list"],
            vec!["jobs", "list", "--metadata=doc_type=invoice"],
            vec!["jobs", "failed"],
            vec!["jobs", "retrying"],
            vec!["jobs", "next"],
            vec!["jobs", "stuck"],
        ];
        if shape != Shape::Page {
            lists.push(vec!["dags", "list"]);
        }
        for words in lists {
            let whole = in_process::column(&database.url, &words, "id").await;
            // Four pages, and a fifth if rows are left over.
            let limit = if is_long_run() { 40 } else { (whole.len() / 4).max(1) };
            let limit_flag = format!("--limit={limit}");
            let mut paged: Vec<Value> = Vec::new();
            for page in 1.. {
                let page = page.to_string();
                let words_of_page: Vec<&str> =
                    words.iter().copied().chain(["--format=json", &limit_flag, "--page", &page]).collect();
                let answer = in_process::run(&database.url, &words_of_page).await.unwrap();
                let rows: Vec<Value> = serde_json::from_str(&answer.text).unwrap();
                assert!(rows.len() <= limit);
                paged.extend(rows.iter().map(|row| row["id"].clone()));
                let says_more = answer.note.is_some_and(|note| note.contains("--page"));
                assert_eq!(says_more, paged.len() < whole.len(), "{words:?}");
                if !says_more {
                    break;
                }
            }
            assert!(whole.len() > 3, "{words:?}");
            assert_eq!(paged, whole, "{words:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn next_jobs_equal_those_of_the_page_that_may_start() {
    on_each_shape(async |shape, database| {
        let (deferred, finished) = if shape == Shape::Page {
            ("", "")
        } else {
            (
                "and j.start_after <= now()",
                "and not exists (select from dag where dag.id = j.dag_id
                    and dag.state in ('completed', 'failed', 'cancelled', 'expired'))",
            )
        };
        let next = format!(
            "select j.* from job as j
            where j.state in ('created', 'retry')
                and not exists (
                    select 1 from job as d
                    where d.id in (select value::uuid from jsonb_array_elements_text(j.dependencies))
                        and d.state::text not in ('completed', 'skipped')
                )
                {deferred} {finished}"
        );
        let order = "order by priority desc, created_on asc";
        assert_same(database, &["jobs", "next"], &format!("{next} {order}")).await;
        assert_same(
            database,
            &["jobs", "next", "--queue=extract"],
            &format!("{next} and j.name = 'extract' {order}"),
        )
        .await;
        let of_each = format!(
            "select * from (select distinct on (dag_id) * from ({next}) as n
            order by dag_id, priority desc, created_on asc) as first {order}"
        );
        assert_same(database, &["jobs", "next", "--per-dag"], &of_each).await;
        let dag = in_process::column(&database.url, &["jobs", "next"], "dag_id").await[0].clone();
        let dag = dag.as_str().unwrap();
        assert_same(
            database,
            &["jobs", "next", "--dag", dag],
            &format!("{next} and dag_id = '{dag}' {order}"),
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn stuck_failed_and_retrying_jobs_match_their_states() {
    on_each_shape(async |shape, database| {
        let stuck = "select * from job where state = 'active' and started_on < now() - interval '1 hour'";
        assert_same(database, &["jobs", "stuck"], &format!("{stuck} order by started_on, id")).await;
        assert_same(
            database,
            &["jobs", "stuck", "--queue=extract"],
            &format!("{stuck} and name = 'extract'"),
        )
        .await;
        let failed = "select * from job where state in ('failed', 'expired')";
        let order = "order by completed_on desc nulls last, id";
        assert_same(database, &["jobs", "failed"], &format!("{failed} {order}")).await;
        let recent = "and name = 'extract' and completed_on > now() - interval '6 hours'";
        assert_same(
            database,
            &["jobs", "failed", "--queue=extract", "--since=6h"],
            &format!("{failed} {recent} {order}"),
        )
        .await;
        let order = if shape == Shape::Page { "id" } else { "start_after, id" };
        assert_same(
            database,
            &["jobs", "retrying"],
            &format!("select * from job where state = 'retry' order by {order}"),
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn dags_and_progress_equal_the_maintenance_page() {
    on_each_shape(async |shape, database| {
        if shape != Shape::Page {
            let of_planner = match shape {
                // This shape has no planners.
                Shape::Old => "false",
                _ => "planner = 'ocr' and state = 'active'",
            };
            assert_same(database, &["dags", "list"], "select id from dag order by id desc").await;
            for (words, condition) in [
                (&["--state=active"] as &[&str], "state = 'active'"),
                (&["--state=failed", "--state=created"], "state in ('failed', 'created')"),
                (&["--planner=ocr", "--state=active"], of_planner),
            ] {
                let words: Vec<&str> = ["dags", "list"].iter().chain(words).copied().collect();
                assert_same(
                    database,
                    &words,
                    &format!("select id from dag where {condition} order by id desc"),
                )
                .await;
            }
        }
        let page = "select
                dag_id,
                count(*) as total_jobs,
                count(*) filter (where state::text in ('completed', 'skipped')) as completed,
                count(*) filter (where state = 'active') as active,
                count(*) filter (where state = 'failed') as failed,
                round(100.0 * count(*) filter (
                    where state::text in ('completed', 'skipped', 'failed', 'cancelled', 'expired')
                ) / nullif(count(*), 0), 1) as progress_pct
            from job group by dag_id";
        let pages = rows(database, page).await;
        assert!(pages.len() > 20);
        for mut progress in pages.into_iter().step_by(if is_long_run() { 1 } else { 5 }) {
            let dag = progress.as_object_mut().unwrap().remove("dag_id").unwrap();
            let shown = in_process::json(&database.url, &["dags", "show", dag.as_str().unwrap()]).await;
            for (name, value) in progress.as_object().unwrap() {
                assert_eq!(shown["progress"][name], *value, "{name} of {dag}");
            }
            assert_eq!(shown["progress"]["total_jobs"], shown["jobs"].as_array().unwrap().len());
        }
    })
    .await;
}

#[tokio::test]
async fn queues_are_listed_with_settings_and_unfinished_jobs() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut database = filled(shape, 0.5).await;
        database.run("delete from queue where name = 'classify'").await;
        let expected = "select coalesce(q.name, j.name) as queue, q.retry_limit, q.retry_delay, q.retry_backoff,
                q.expire_seconds, q.retention_minutes, q.dead_letter, q.policy,
                count(j.id) filter (where j.state = 'created') as created,
                count(j.id) filter (where j.state = 'retry') as retry,
                count(j.id) filter (where j.state = 'active') as active
            from queue as q full join job as j on j.name = q.name
            group by q.name, j.name
            having count(j.id) filter (where j.state in ('created', 'retry', 'active')) > 0 or q.name is not null";
        let expected = rows(&mut database, expected).await;
        let ours = in_process::json(&database.url, &["queues", "list"]).await.as_array().unwrap().clone();
        assert_eq!(sorted(ours), sorted(expected), "{}", shape.name());
    }
}

#[tokio::test]
async fn refusal_without_queue_table_names_another_command() {
    let database = filled(Shape::Page, 0.5).await;
    let error = in_process::run(&database.url, &["queues", "list"]).await.unwrap_err().to_string();
    let expected = "queues/list.sql: no table queue; marie-exporter stats shows the queues that hold jobs";
    assert_eq!(error, expected);
    assert!(in_process::text(&database.url, &["stats"]).await.contains("extract"));
}

#[tokio::test]
async fn unknown_state_is_refused_with_the_known_ones() {
    let database = filled(Shape::Mid, 0.5).await;
    let error = in_process::run(&database.url, &["jobs", "list", "--state=skipped"]).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("skipped") && error.contains("created, retry, active, completed"), "{error}");
}
