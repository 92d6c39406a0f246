//! `maintain purge all` empties all tables that it names or none, and only after the schema's name is typed.

use std::io::{Read, Write};
use std::process::Stdio;

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::{Outcome, Scheduler};
use crate::support::process::{command, send, text};

fn purge(scheduler: &Scheduler, arguments: &[&str], typed: &str) -> Outcome {
    let mut run = command(&[&["maintain", "purge", "all"], arguments].concat());
    run.args(["--database-url", &scheduler.database.url]);
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Outcome {
        succeeded: output.status.success(),
        printed: text(&output.stdout),
        errors: text(&output.stderr),
    }
}

#[tokio::test]
async fn signal_at_question_changes_nothing() {
    let mut scheduler = Scheduler::new(Shape::New, 5, 0.45).await;
    let before = scheduler.snapshot().await;
    for signal in ["INT", "TERM"] {
        let mut run = command(&["maintain", "purge", "all", "--execute"]);
        run.args(["--database-url", &scheduler.database.url]);
        let mut child =
            run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut printed = String::new();
        while !printed.contains("to go on:") {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{printed}");
            printed.push(char::from(byte[0]));
        }
        send(signal, child.id());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(1), "{signal}");
        assert_eq!(scheduler.snapshot().await, before);
    }
}

#[tokio::test]
async fn truncating_all_needs_the_schema_name_and_spares_archive() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 30, 0.45).await;
        scheduler
            .database
            .run(
                "create table hitl_request (id int primary key, dag_id uuid references dag (id) on delete cascade);
                 create table hitl_response (id int primary key, request_id int references hitl_request (id));
                 insert into hitl_request select 1, id from dag limit 1;
                 insert into hitl_response values (1, 1);
                 insert into kv_store_worker (key) values ('k')",
            )
            .await;
        scheduler.maintain(&["archive", "--older-than=60d", "--execute"]).expect_success();
        let before = scheduler.snapshot().await;
        assert!(!before["archive"].is_empty());

        let planned = purge(&scheduler, &[], "").expect_success();
        for table in ["job", "dag", "job_history", "hitl_request", "hitl_response", "kv_store_worker"] {
            assert!(planned.contains(&format!("\"marie_scheduler\".\"{table}\"")), "{table}: {planned}");
        }
        for typed in ["", "\n", "yes\n", "marie\n", "\"marie_scheduler\"\n"] {
            let refused = purge(&scheduler, &["--execute"], typed).expect_refusal();
            assert!(refused.contains("that is not the schema's name; nothing was changed"), "{refused}");
        }
        assert_eq!(scheduler.snapshot().await, before);

        purge(&scheduler, &["--execute"], "marie_scheduler\n").expect_success();
        let tables = [
            "job",
            "dag",
            "job_history",
            "dag_history",
            "hitl_request",
            "hitl_response",
            "kv_store_worker",
            "kv_store_worker_history",
            "job_dependencies",
        ];
        for table in tables {
            assert_eq!(scheduler.count(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
        assert_eq!(scheduler.rows("archive").await, before["archive"]);
        assert!(scheduler.count("select count(*) from queue").await > 0, "the queues were emptied too");
    }
}

#[tokio::test]
async fn purge_all_keeps_rows_that_a_delete_keeps() {
    let mut scheduler = Scheduler::new(Shape::Mid, 30, 0.45).await;
    scheduler
        .database
        .run(
            "create table processor_executions (
                 id int primary key,
                 dag_id uuid constraint \"of a dag\" references dag (id) on delete set null deferrable initially deferred
             );
             create table note (
                 id int primary key, job_name text default null, job_id uuid,
                 foreign key (job_name, job_id) references job (name, id) on delete set default
             );
             create table execution_step (execution int references processor_executions (id) on delete cascade);
             insert into processor_executions select row_number() over (), id from dag;
             insert into processor_executions values (0, null);
             insert into note select row_number() over (), name, id from job limit 7;
             insert into execution_step values (0), (1)",
        )
        .await;
    let keys = "select conname || pg_get_constraintdef(oid) as id from pg_constraint where contype = 'f'";
    let before =
        (scheduler.ids(keys).await, scheduler.count("select count(*) from processor_executions").await);
    let jobs = scheduler.count("select count(*) from job").await;

    let planned = purge(&scheduler, &[], "").expect_success();
    assert!(planned.contains(&format!("In all {jobs} jobs.")), "{planned}");
    let stay = "Rows that stay, without their reference: all of \"marie_scheduler\".\"note\", \
                \"marie_scheduler\".\"processor_executions\".";
    assert!(planned.contains(stay), "{planned}");

    let printed = purge(&scheduler, &["--execute"], "marie_scheduler\n").expect_success();
    assert!(printed.contains(&format!(", of {jobs} jobs, by ")), "{printed}");
    let after =
        (scheduler.ids(keys).await, scheduler.count("select count(*) from processor_executions").await);
    assert_eq!(after, before);
    assert_eq!(
        scheduler.count("select count(*) from processor_executions where dag_id is not null").await,
        0
    );
    assert_eq!(scheduler.count("select count(*) from note where job_id is null").await, 7);
    assert_eq!(scheduler.count("select count(*) from execution_step").await, 2);
    assert_eq!(scheduler.count("select (select count(*) from job) + (select count(*) from dag)").await, 0);
}

#[tokio::test]
async fn purge_all_without_ownership_changes_nothing() {
    let mut scheduler = Scheduler::new(Shape::Mid, 10, 0.45).await;
    scheduler
        .database
        .run(
            "create table processor_executions (id int, dag_id uuid references dag (id) on delete set null);
             insert into processor_executions select row_number() over (), id from dag;
             create role emptier login;
             grant usage on schema marie_scheduler to emptier;
             grant select, update, delete, truncate on all tables in schema marie_scheduler to emptier",
        )
        .await;
    let before = scheduler.rows("processor_executions").await;
    scheduler.database.url = scheduler.database.url.replace("postgres@", "emptier@");
    let refused = purge(&scheduler, &["--execute"], "marie_scheduler\n").expect_refusal();
    assert!(refused.contains("ownership of \"marie_scheduler\".\"processor_executions\""), "{refused}");
    assert_eq!(scheduler.rows("processor_executions").await, before);
}
