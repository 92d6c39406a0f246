//! Relations, functions and types that a role with CREATE on the schema has planted: no command uses them.

use std::io::Write;
use std::process::Stdio;

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::security::role::check;
use crate::support::databases::{Database, SERVER};
use crate::support::process::{command, output, text};

/// Creates a database and a role, the stranger, that may create objects in the scheduler's schema and in `public`, as every
/// role could before PostgreSQL 15. A function of the stranger writes a line to the server's log when it is called.
pub(crate) async fn with_stranger(shape: Shape, stranger: &str) -> Database {
    let mut database = Database::new(shape).await;
    database
        .run(&format!(
            "create role {stranger} login;
             grant usage, create on schema marie_scheduler, public to {stranger};
             create schema {stranger} authorization {stranger};
             set role {stranger};
             create function {stranger}.captured() returns bool language plpgsql immutable as
             $$ begin raise log 'captured by {stranger} as %', current_user; return true; end $$;
             reset role"
        ))
        .await;
    database
}

/// Returns the lines that the stranger's function has logged.
pub(crate) fn captures(stranger: &str) -> Vec<String> {
    let log = std::fs::read_to_string(SERVER.folder().join("log")).unwrap();
    let captured = format!("captured by {stranger}");
    log.lines().filter(|line| line.contains(&captured)).map(str::to_owned).collect()
}

fn printed_by(url: &str, words: &[&str]) -> String {
    let output = output(&[words, &["--database-url", url]].concat());
    text(&output.stdout) + &text(&output.stderr)
}

/// Statements with which the stranger creates a table that this shape lacks.
fn planted(stranger: &str, table: &str) -> [(&'static str, String); 4] {
    let filtered = format!(
        "create table {table} (job_id uuid, state text);
         insert into {table} values (md5('job')::uuid, 'active');
         alter table {table} enable row level security, force row level security;
         create policy captured on {table} using ({stranger}.captured())"
    );
    let indexed = format!(
        "create table {table} (job_id uuid, state text);
         create index on {table} (job_id) where {stranger}.captured()"
    );
    [
        ("view", format!("create view {table} as select null::uuid as job_id where {stranger}.captured()")),
        ("table", filtered),
        ("table", indexed),
        ("materialized view", format!("create materialized view {table} as select null::uuid as job_id")),
    ]
}

#[tokio::test]
async fn planted_relation_for_missing_table_is_not_used() {
    let stranger = "planter";
    let mut database = with_stranger(Shape::Mid, stranger).await;
    let before = check(&database.url, &[]);
    assert_eq!(before["database"]["shape"], "mid");
    assert_eq!(before["database"]["untrusted"], serde_json::json!([]));
    for (kind, plant) in planted(stranger, "marie_scheduler.job_attempt") {
        database.run(&format!("set role {stranger}; {plant}; reset role")).await;
        let before = captures(stranger).len();
        let report = check(&database.url, &[]);
        assert_eq!(report["database"]["shape"], "mid", "{plant}");
        assert_eq!(
            report["database"]["untrusted"],
            serde_json::json!([format!(
                "{kind} marie_scheduler.job_attempt is not used and counts as missing: it (of {stranger}) belongs to a role that owns \
                 neither the schema nor its table job and is no superuser. Drop it, or give it to the owner of job"
            )])
        );
        let shown = printed_by(&database.url, &["check"]);
        assert!(shown.contains("job_attempt is not used and counts as missing"), "{shown}");
        for words in [&["jobs", "stuck"] as &[&str], &["jobs", "list"], &["queues", "list"], &["stats"]] {
            let shown = printed_by(&database.url, words);
            assert!(!shown.contains("error"), "{words:?}: {shown}");
        }
        assert_eq!(captures(stranger).len(), before, "{plant}");
        database.run(&format!("drop {kind} marie_scheduler.job_attempt")).await;
    }
}

#[tokio::test]
async fn planted_job_is_named_and_ends_commands() {
    let stranger = "planter_of_job";
    let mut database = with_stranger(Shape::Page, stranger).await;
    database
        .run(&format!(
            "alter table job rename to job_itself;
             grant select on job_itself to {stranger};
             set role {stranger};
             create view marie_scheduler.job as select * from marie_scheduler.job_itself where {stranger}.captured();
             reset role"
        ))
        .await;
    let why = "view marie_scheduler.job is not used and counts as missing: it (of planter_of_job) belongs to a role that";
    let archive = ["maintain", "archive", "--older-than=1d"];
    for words in [&["check"] as &[&str], &["jobs", "stuck"], &["stats"], &["grants"], &archive] {
        let output = output(&[words, &["--database-url", &database.url]].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(shown.contains(why), "{words:?}: {shown}");
    }
    assert_eq!(captures(stranger), Vec::<String>::new());
}

/// Changes that give the stranger control of the table `queue`, and the object that `check` names.
fn given_away(stranger: &str) -> [(String, &'static str); 6] {
    let function = format!("{stranger}.captured()");
    [
        (format!("alter table queue owner to {stranger}"), "(of {}) belongs to"),
        (format!("create index on queue (name) where {function}"), "function "),
        (format!("alter table queue add check ({function}) not valid"), "function "),
        (
            format!(
                "alter table queue enable row level security; create policy p on queue using ({function})"
            ),
            "function ",
        ),
        (
            format!(
                "create domain mine as text; alter domain mine owner to {stranger}; alter table queue add m mine[]"
            ),
            "type ",
        ),
        (
            format!(
                "create table queue_of_a_stranger () inherits (queue);
                 alter table queue_of_a_stranger owner to {stranger}"
            ),
            "table ",
        ),
    ]
}

#[tokio::test]
async fn table_with_code_of_another_role_is_not_used() {
    let stranger = "given_something";
    for (change, object) in given_away(stranger) {
        let mut database = Database::new(Shape::New).await;
        database
            .run(&format!(
                "do $$ begin create role {stranger}; exception when duplicate_object then null; end $$;
                 create schema {stranger} authorization {stranger};
                 create function {stranger}.captured() returns bool language plpgsql immutable as
                 $$ begin raise log 'captured by {stranger}'; return true; end $$;
                 alter function {stranger}.captured() owner to {stranger};
                 {change}"
            ))
            .await;
        let before = captures(stranger).len();
        let report = check(&database.url, &[]);
        let untrusted = report["database"]["untrusted"].to_string();
        let named = object.replace("{}", stranger);
        assert!(
            untrusted.contains("table marie_scheduler.queue is not used") && untrusted.contains(&named),
            "{change}: {untrusted}"
        );
        assert_eq!(captures(stranger).len(), before, "{change}");
    }
}

#[tokio::test]
async fn owner_that_can_act_as_the_owner_of_job_is_trusted() {
    let mut database = Database::new(Shape::Mid).await;
    database
        .run(
            "create role scheduler_owner; create role scheduler_member in role scheduler_owner;
             create role scheduler_group role scheduler_owner;
             do $$
             declare
                 relation regclass;
             begin
                 for relation in
                     select oid from pg_class
                     where relnamespace = 'marie_scheduler'::regnamespace and relkind in ('r', 'p') and relname <> 'version'
                 loop
                     execute format('alter table %s owner to scheduler_owner', relation);
                 end loop;
             end
             $$;
             alter table queue owner to scheduler_member",
        )
        .await;
    let report = check(&database.url, &[]);
    assert_eq!(report["database"]["untrusted"], serde_json::json!([]), "{report:#}");

    // Another member of the group could have created the table.
    database.run("alter table queue owner to scheduler_group").await;
    let report = check(&database.url, &[]);
    let untrusted: &Value = &report["database"]["untrusted"][0];
    assert!(untrusted.as_str().unwrap().contains("(of scheduler_group) belongs to"), "{untrusted}");
}

/// Changes that let a writing statement run the stranger's code, and the object that the error names.
fn armed(stranger: &str) -> [(String, &'static str); 5] {
    let function = format!("{stranger}.fired()");
    let fire = format!("after delete on job execute function {function}");
    [
        (format!("create trigger fired {fire}"), "table marie_scheduler.job could run"),
        (
            format!("alter table job alter column priority set default {stranger}.number()"),
            "table marie_scheduler.job could run",
        ),
        (
            format!(
                "grant references on job to {stranger};
                 set role {stranger};
                 create table {stranger}.refers (job_id uuid, name text, foreign key (name, job_id) references marie_scheduler.job (name, id));
                 create trigger fired before truncate on {stranger}.refers execute function {function};
                 reset role"
            ),
            "refers could run",
        ),
        (
            format!(
                "drop table kv_store_worker_history;
                 set role {stranger};
                 create table marie_scheduler.kv_store_worker_history ();
                 create trigger fired before truncate on marie_scheduler.kv_store_worker_history execute function {function};
                 reset role"
            ),
            "",
        ),
        (format!("alter function create_queue owner to {stranger}"), ""),
    ]
}

/// Runs `maintain`, and confirms with the schema's name. Returns whether it succeeded, and its output.
fn maintained(url: &str, words: &[&str]) -> (bool, String) {
    let mut command = command(&[&["maintain"], words, &["--database-url", url]].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command without confirmation may have ended already.
    let _ = child.stdin.take().unwrap().write_all(b"marie_scheduler\n");
    let output = child.wait_with_output().unwrap();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn maintain_runs_no_code_of_another_role() {
    let stranger = "armed";
    for (change, refusal) in armed(stranger) {
        let mut database = Database::new(Shape::Mid).await;
        database
            .run(&format!(
                "do $$ begin create role {stranger}; exception when duplicate_object then null; end $$;
                 create schema {stranger} authorization {stranger};
                 grant usage, create on schema marie_scheduler to {stranger};
                 create function {stranger}.fired() returns trigger language plpgsql as
                 $$ begin raise log 'captured by {stranger}'; return old; end $$;
                 alter function {stranger}.fired() owner to {stranger};
                 create function {stranger}.number() returns int language plpgsql as
                 $$ begin raise log 'captured by {stranger}'; return 1; end $$;
                 alter function {stranger}.number() owner to {stranger};
                 update job set state = 'completed', completed_on = now() - interval '9 days';
                 update dag set state = 'completed';
                 {change}"
            ))
            .await;
        for words in [
            &["purge", "completed", "--older-than=1d", "--execute"] as &[&str],
            &["archive", "--older-than=1d", "--execute"],
            &["purge", "all", "--execute"],
            &["queue", "create", "another", "--execute"],
        ] {
            let (is_done, shown) = maintained(&database.url, words);
            if !refusal.is_empty() {
                assert!(!is_done && shown.contains(refusal), "{change}: {words:?}: {shown}");
            } else if change.contains("create_queue") && words[0] == "queue" {
                assert!(shown.contains("create_queue belongs to armed"), "{shown}");
            } else if words[1] == "all" {
                assert!(is_done, "{change}: {words:?}: {shown}");
                assert!(
                    !shown.contains("kv_store_worker_history") || change.contains("create_queue"),
                    "{shown}"
                );
            }
        }
        assert_eq!(captures(stranger), Vec::<String>::new(), "{change}");
    }
}
