//! A role with CREATE plants every function, operator, cast, type and relation that the exporter's statements use, in each
//! schema where a name could be resolved. None is ever called, and every output is the same as without them.
//!
//! PostgreSQL lists what the statements use: `debug_print_parse` logs the tree of each statement of every command, with the
//! ids to which its names were resolved.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::pass;
use marie_exporter::config::Config;
use marie_exporter::demo::shape::Shape;
use marie_exporter::inspect;
use marie_exporter::postgres::{Failure, Session};
use marie_exporter::schema::{Schema, TABLES};
use regex::Regex;
use sqlx::AssertSqlSafe;

use crate::security::planted::captures;
use crate::support::databases::{Database, SERVER};
use crate::support::long_tests::is_long_run;
use crate::support::process::{Process, command, text};
use crate::support::scrape::{metrics, until};

/// All commands, in an order in which each writing command finds rows to change.
const COMMANDS: [&str; 32] = [
    "check",
    "grants --role=nobody_yet",
    "jobs list --limit 1000",
    "jobs list --state=active --queue=extract --since=2000h",
    "jobs list --metadata=number=1",
    "jobs show JOB",
    "jobs show JOB --payload",
    "jobs stuck",
    "jobs failed",
    "jobs retrying",
    "jobs overdue",
    "jobs next",
    "jobs next --per-dag",
    "queues list",
    "dags list",
    "dags show DAG",
    "stats",
    "stats throughput",
    "stats retries",
    "maintain archive --older-than=60d",
    "maintain archive --older-than=60d --execute --allow-dropping branch_metadata",
    "maintain purge completed --older-than=10d",
    "maintain purge completed --older-than=10d --execute",
    "maintain purge failed --older-than=10d --execute --per-job",
    "maintain purge history --older-than=0s",
    "maintain purge history --older-than=0s --execute",
    "maintain queue set extract --retry-limit=9 --execute",
    "maintain queue create another",
    "maintain indexes",
    "maintain indexes --execute",
    "maintain purge all",
    "maintain purge all --execute",
];

async fn filled(shape: Shape) -> Database {
    let mut database = Database::new(shape).await;
    let fill = include_str!("../maintain/fill.sql").replace("$seed", "0.5").replace("$dags", "40");
    database.run(&format!("select create_queue('load', '{{}}'); {fill}; analyze")).await;
    database
}

/// A session's row of one text.
async fn one(database: &mut Database, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut database.admin).await.unwrap()
}

/// Returns the output and exit status of a command, without what differs between runs or databases.
fn answer(url: &str, words: &str) -> String {
    let mut arguments: Vec<&str> = words.split(' ').collect();
    arguments.extend(["--database-url", url]);
    let mut command = command(&arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command without confirmation may have ended already.
    let _ = child.stdin.take().unwrap().write_all(b"marie_scheduler\n");
    let output = child.wait_with_output().unwrap();
    let shown = text(&output.stdout) + &text(&output.stderr);
    let changing = Regex::new(
        r"marie_\d+|\d{4}-\d\d-\d\d[T ][\d:.]+\S*|\d+(\.\d+)? ?(ms|us|s|m|h|d)\b|\d+\.\d+|_\d{4,}|\d[\d,.]* (kB|MB|bytes)| +",
    )
    .unwrap();
    // These parts of the output differ: SQL for a role that other tests create, the slowest query, and names of planted
    // objects.
    let role_sql = Regex::new(r"(?s)BEGIN;.*?COMMIT;").unwrap();
    let shown = role_sql.replace_all(&shown, "").replace(" that can be trusted", "");
    let differing =
        ["is not used and counts as missing", "this index would serve it", ".sql:", "It may take about"];
    let shown: Vec<&str> =
        shown.lines().filter(|line| !differing.iter().any(|text| line.contains(text))).collect();
    format!("{words}: {:?}\n{}", output.status.code(), changing.replace_all(&shown.join("\n"), " "))
}

/// Prepares every query of the collectors, the commands and `top` in a transaction of the exporter. Returns their number.
async fn prepare_all(url: &str) -> Result<usize, Failure> {
    let arguments = ["marie-exporter", "serve", "--database-url", url];
    let Ok(Command::Serve(config)) = cli::parse(arguments.map(Into::into), |_| None, &[]) else {
        panic!("not serve");
    };
    let config: Config = config;
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut run = session.begin().await?;
    let schema = Schema::read(&mut run, &config.database.schema).await?;
    let mut count = 0;
    for query in pass::statements().chain(inspect::queries()) {
        if query.lack(&schema).is_none() {
            let prepare = format!("prepare planted_{count} as {}", query.text(&schema));
            run.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await?;
            count += 1;
        }
    }
    session.finish(run, None).await;
    session.close().await;
    Ok(count)
}

/// Returns the metrics of a serving exporter that do not change with time.
fn served(url: &str) -> Vec<String> {
    let process = Process::serve(url, &["--dags.progress-limit=9"]);
    let page = format!("{}/metrics", process.address());
    let answer = until(&page, "every collector has succeeded", |answer| {
        let text = answer.text();
        let successes = text.lines().filter(|line| line.starts_with("marie_collector_success{")).count();
        successes > 12 && text.contains("marie_jobs_created_total")
    });
    let failures = metrics(process.address()).count("marie_collector_failures_total", &[]);
    assert_eq!(failures, 0.0);
    let _ = process.end("TERM");
    let stable = Regex::new(r"^marie_(jobs|dags|queue|dag)_?[a-z_]*(\{.*\})? [0-9]+$").unwrap();
    let changing = Regex::new("seconds|_total|_bucket|_sum|_count|bytes").unwrap();
    let text = answer.text();
    text.lines().filter(|line| stable.is_match(line) && !changing.is_match(line)).map(str::to_owned).collect()
}

/// Returns the output of all commands for this job and this DAG.
async fn all_answers(url: &str, job: &str, dag: &str) -> Vec<String> {
    let mut answers = served(url);
    assert!(answers.len() > 20, "{answers:#?}");
    assert!(prepare_all(url).await.unwrap() > 40);
    for words in COMMANDS {
        answers.push(answer(url, &words.replace("JOB", job).replace("DAG", dag)));
    }
    answers
}

/// Returns the ids in these fields of the parse trees in the log.
fn ids(log: &str, fields: &str) -> String {
    let pattern = Regex::new(&format!(r":(?:{fields}) (\d+)")).unwrap();
    let ids: BTreeSet<&str> =
        pattern.captures_iter(log).map(|found| found.get(1).unwrap().as_str()).collect();
    ids.into_iter().filter(|id| *id != "0").map(|id| format!("({id})")).collect::<Vec<_>>().join(", ")
}

async fn nothing_planted_is_called(shape: Shape, stranger: &str, schemas: &str) {
    let log = || fs::read_to_string(SERVER.folder().join("log")).unwrap();
    let mut clean = filled(shape).await;
    let start = log().len();
    let name = clean.url.rsplit('/').next().unwrap().to_owned();
    clean
        .run(&format!(
            "alter database {name} set debug_print_parse = on; alter database {name} set debug_pretty_print = off"
        ))
        .await;
    let job = one(&mut clean, "select id::text from job where state = 'failed' order by id limit 1").await;
    let dag = one(&mut clean, "select id::text from dag where state = 'active' order by id limit 1").await;
    let expected = all_answers(&clean.url, &job, &dag).await;
    let trees = log()[start..].to_owned();
    let functions = ids(&trees, "funcid|aggfnoid|winfnoid|opfuncid");
    let operators = ids(&trees, "opno");
    let types = ids(&trees, "consttype|paramtype|resulttype|funcresulttype|coltypes");
    let relations = ids(&trees, "relid");

    let mut database = filled(shape).await;
    database
        .run(&format!(
            "create role {stranger} login;
             create schema if not exists postgres;
             grant usage, create on schema marie_scheduler, public, postgres to {stranger};
             create schema plant;
             create table plant.used_function as select * from (values {functions}) as u (oid);
             create table plant.used_operator as select * from (values {operators}) as u (oid);
             create table plant.used_type as select * from (values {types}) as u (oid);
             create table plant.used_relation as
             select c.relname as name from (values {relations}) as u (oid) join pg_class as c on c.oid = u.oid
             union select unnest(array['{}', 'hitl_request']);
             grant select on all tables in schema plant to {stranger};
             set search_path = pg_catalog; set plant.role = '{stranger}'; set plant.schemas = '{schemas}'",
            TABLES.join("', '")
        ))
        .await;
    database.run(include_str!("planted_set.sql")).await;
    for (kind, least) in [("function", 300), ("operator", 60), ("type", 10), ("cast", 5), ("relation", 10)] {
        let made =
            one(&mut database, &format!("select count(*)::text from plant.made where kind = '{kind}'")).await;
        assert!(made.parse::<u32>().unwrap() > least, "{made} of the kind {kind}");
    }
    database.run("set search_path = marie_scheduler, pg_catalog").await;

    // The planted objects work: a session with the schema in its path runs them.
    let mut session = database.session().await;
    let unnest = "select unnest(array['x'::pg_catalog.text])";
    sqlx::raw_sql(unnest).fetch_all(&mut session).await.unwrap();
    let before = captures(stranger).len();
    assert_eq!(before, 1, "the planted functions are called where they can be");

    let answers = all_answers(&database.url, &job, &dag).await;
    let called = captures(stranger);
    assert_eq!(called.len(), before, "{:#?}", &called[before..]);
    for (planted, expected) in answers.iter().zip(&expected) {
        let differences: Vec<_> =
            planted.lines().zip(expected.lines()).filter(|(planted, expected)| planted != expected).collect();
        assert!(planted == expected, "{}: {differences:#?}", expected.lines().next().unwrap_or_default());
    }
}

/// Only one shape, and only the monitored schema. The next test has all of them, in `make test-all`.
#[tokio::test]
async fn nothing_planted_in_the_schema_is_called() {
    nothing_planted_is_called(Shape::Mid, "planter_of_all", "marie_scheduler").await;
}

#[tokio::test]
async fn nothing_planted_anywhere_is_called() {
    if !is_long_run() {
        return;
    }
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let stranger = format!("planter_of_{}", shape.name());
        nothing_planted_is_called(shape, &stranger, "marie_scheduler,public,postgres").await;
    }
}
