//! Databases in other encodings than UTF-8: a text that cannot be sent hides no other number, and a filter with a character
//! that the encoding lacks finds nothing.

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::check_metrics::promtool;
use crate::support::databases::{Database, SERVER, furnished};
use crate::support::long_tests::is_long_run;
use crate::support::metrics::Metrics;
use crate::support::process::{Process, output, text};
use crate::support::scrape::{get, until, until_ready};

async fn database(encoding: &str, shape: Shape) -> Database {
    let name = format!("{} {}", encoding, shape.name()).to_lowercase();
    let mut server = PgConnection::connect(&SERVER.url("postgres")).await.unwrap();
    let create = format!(
        "create database \"{name}\" encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'"
    );
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut server).await.unwrap();
    let url = SERVER.url(&name);
    let mut database = Database { admin: furnished(&url, shape).await, url };
    if shape != Shape::New {
        database.run("create table others partition of job default").await;
    }
    database
}

/// Inserts jobs, a DAG and a queue whose texts are the value of this SQL expression.
async fn add_texts(database: &mut Database, queue: &str) {
    database
        .run(&format!(
            "insert into queue (name) values ({queue});
             update queue set dead_letter = {queue}, policy = {queue} where name = 'extract';
             insert into dag (id, name, state, planner) values (md5({queue})::uuid, {queue}, 'active', {queue});
             insert into job (id, name, state, started_on, dag_id, run_owner)
             values (md5('of ' || {queue})::uuid, {queue}, 'active', now() - interval '1 day', md5({queue})::uuid, {queue});
             insert into job (id, name, state, started_on, completed_on, dag_id, retry_count)
             values (md5('failed ' || {queue})::uuid, {queue}, 'failed', now(), now(), md5({queue})::uuid, 1)"
        ))
        .await;
}

const COMMANDS: [&[&str]; 12] = [
    &["jobs", "list"],
    &["jobs", "stuck"],
    &["jobs", "failed"],
    &["jobs", "next"],
    &["jobs", "retrying"],
    &["jobs", "overdue"],
    &["queues", "list"],
    &["dags", "list"],
    &["stats"],
    &["stats", "retries"],
    &["stats", "throughput"],
    &["check"],
];

/// Runs every command and returns all output.
fn commands(database: &Database, more: &[&[&str]]) -> String {
    let mut printed = String::new();
    for words in COMMANDS.iter().chain(more) {
        let ended = output(&[words, &["--database-url", &database.url] as &[&str]].concat());
        let errors = text(&ended.stderr);
        assert!(ended.status.success(), "{words:?}: {errors}{}", text(&ended.stdout));
        printed += &text(&ended.stdout);
    }
    printed
}

/// Runs `serve` until a failed job is counted; returns the page and the log.
fn page(database: &Database, counted: &str) -> String {
    let process = Process::serve(&database.url, &[]);
    until_ready(process.address());
    let url = format!("{}/metrics", process.address());
    let page = until(&url, counted, |answer| answer.text().contains(counted)).text();
    assert_eq!(promtool(&page), "");
    let failed = Metrics::parse(&page).count("marie_collector_failures_total", &[]);
    assert!(failed < 0.5, "{}", get(process.address()).text());
    page
}

#[tokio::test]
async fn invalid_text_hides_no_other_number() {
    for shape in [Shape::Mid, Shape::New] {
        let mut database = database("SQL_ASCII", shape).await;
        add_texts(&mut database, "E'gr\\xc3\\xb6\\xc3\\x9fe \\xe2\\x98\\x83'").await;
        for invalid in ["E'bad\\xff'", "E'bad\\xed\\xa0\\x80'", "E'\\xc0\\x80'"] {
            add_texts(&mut database, invalid).await;
        }
        let page = page(&database, "marie_jobs_stuck{queue=\"other\"} 3");
        for line in [
            "marie_jobs_stuck{queue=\"größe ☃\"} 1",
            "marie_jobs_stuck{queue=\"extract\"} 0",
            "marie_jobs{queue=\"other\",state=\"failed\"} 3",
            "marie_dags{planner=\"größe ☃\",state=\"active\"} 1",
            "marie_dags{planner=\"other\",state=\"active\"} 3",
            "marie_queue_info{queue=\"extract\",policy=\"other\",dead_letter=\"other\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{}: no {line} in {page}", shape.name());
        }
        let printed = commands(&database, &[&["maintain", "purge", "history", "--older-than=1h"]]);
        assert!(printed.contains("größe ☃") && printed.contains("bad\u{fffd}"), "{printed}");
        // Names in the histories are counted too.
        let process = Process::serve(&database.url, &[]);
        until_ready(process.address());
        let url = format!("{}/metrics", process.address());
        until(&url, "the series are there", |answer| answer.text().contains("marie_jobs_finished_total"));
        database.run("update job set state = 'failed', completed_on = now() where state = 'active'").await;
        let counted = "marie_job_retries_count{queue=\"other\",state=\"failed\"} 3";
        until(&url, counted, |answer| answer.text().contains(counted));
    }
}

#[tokio::test]
async fn latin1_names_are_right_and_snowman_finds_nothing() {
    let mut database = database("LATIN1", Shape::New).await;
    add_texts(&mut database, "'größe'").await;
    let page = page(&database, "marie_jobs_stuck{queue=\"größe\"} 1");
    for line in ["marie_jobs_stuck{queue=\"extract\"} 0", "marie_dags{planner=\"größe\",state=\"active\"} 1"]
    {
        assert!(page.lines().any(|found| found == line), "no {line} in {page}");
    }
    let printed = commands(&database, &[&["jobs", "list", "--queue=größe"]]);
    assert!(printed.contains("größe"), "{printed}");
    for words in
        [&["jobs", "list", "--queue=☃"] as &[&str], &["dags", "list", "--planner=☃"], &["stats", "--queue=☃"]]
    {
        let ended = output(&[words, &["--database-url", &database.url]].concat());
        let (rows, note) = (text(&ended.stdout), text(&ended.stderr));
        assert!(ended.status.success() && note.contains("No rows"), "{words:?}: {rows}{note}");
        assert!(!rows.contains("extract"), "{words:?}: {rows}");
    }
}

#[tokio::test]
async fn bytes_without_a_character_hide_no_other_number() {
    let encodings: &[(&str, u8)] = &[
        ("WIN1252", 0x81),
        ("WIN1251", 0x98),
        ("WIN1250", 0x83),
        ("WIN1253", 0xaa),
        ("WIN1254", 0x9e),
        ("WIN1255", 0xd9),
        ("WIN1257", 0xa1),
        ("WIN1258", 0x8a),
        ("WIN874", 0xdb),
        ("LATIN3", 0xa5),
        ("ISO_8859_6", 0xa1),
        ("ISO_8859_7", 0xff),
        ("ISO_8859_8", 0xbf),
    ];
    for (encoding, byte) in &encodings[..if is_long_run() { encodings.len() } else { 1 }] {
        let mut database = database(encoding, Shape::New).await;
        add_texts(&mut database, &format!("'bad' || chr({byte})")).await;
        let page = page(&database, "marie_jobs_stuck{queue=\"other\"} 1");
        assert!(page.contains("marie_jobs_stuck{queue=\"extract\"} 0"), "{encoding}: {page}");
        let printed = commands(&database, &[]);
        assert!(printed.contains("bad?"), "{encoding}: {printed}");
    }
}
