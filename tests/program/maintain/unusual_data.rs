//! Clean-ups with unusual rows, columns and triggers: an unusual row keeps its own DAG and no other.

use std::collections::BTreeSet;

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::{Scheduler, maintain};

/// Returns the first of the due jobs, and all jobs of its DAG.
async fn first_with_dag(scheduler: &mut Scheduler, due: &BTreeSet<String>) -> (String, BTreeSet<String>) {
    let job = due.first().unwrap().clone();
    let of_dag = format!(
        "select id from job where coalesce(dag_id, id) = (select coalesce(dag_id, id) from job where id = '{job}')"
    );
    let jobs = scheduler.ids(&of_dag).await;
    (job, jobs)
}

#[tokio::test]
async fn unknown_job_state_counts_as_unfinished() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape, 40, 0.11).await;
        if shape != Shape::Page {
            scheduler.database.run("alter type job_state add value 'suspended'").await;
        }
        let due = scheduler.jobs_of_finished_dags("7 days", "true").await;
        let (job, stays) = first_with_dag(&mut scheduler, &due).await;
        scheduler.database.run(&format!("update job set state = 'suspended' where id = '{job}'")).await;
        scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
        assert_eq!(scheduler.ids("select id from archive").await, due.difference(&stays).cloned().collect());
        // As a single job it counts as unfinished too.
        scheduler
            .maintain(&["purge", "completed", "--older-than=0s", "--per-job", "--execute"])
            .expect_success();
        let is_there = format!("select count(*) from job where id = '{job}'");
        assert_eq!(scheduler.count(&is_there).await, 1, "{}", shape.name());
    }
}

#[tokio::test]
async fn row_level_security_refuses_archive() {
    let mut scheduler = Scheduler::new(Shape::New, 30, 0.12).await;
    scheduler
        .database
        .run(
            "create role ops login;
             grant usage on schema marie_scheduler to ops;
             grant all on all tables in schema marie_scheduler to ops;
             alter table job owner to ops;
             alter table job enable row level security;
             alter table job force row level security;
             create policy finished on job using (state > 'active')",
        )
        .await;
    let before = scheduler.snapshot().await;
    let url = scheduler.database.url.replace("postgres@", "ops@");
    let refused = maintain(&url, &["archive", "--older-than=7d", "--execute"]).expect_refusal();
    assert!(refused.contains("row-level security"), "{refused}");
    assert_eq!(scheduler.snapshot().await, before);
}

#[tokio::test]
async fn row_refused_by_archive_is_named_and_blocks_no_other() {
    let mut scheduler = Scheduler::new(Shape::Page, 60, 0.13).await;
    let due = scheduler.jobs_of_finished_dags("7 days", "true").await;
    let (job, stays) = first_with_dag(&mut scheduler, &due).await;
    scheduler.database.run("alter table archive add constraint small check (priority < 9)").await;
    scheduler.database.run(&format!("update job set priority = 9 where id = '{job}'")).await;
    let outcome = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]);
    assert!(!outcome.succeeded && outcome.printed.contains(" was skipped: "), "{outcome:?}");
    assert!(outcome.printed.contains("violates check constraint \"small\""), "{outcome:?}");
    assert_eq!(scheduler.ids("select id from archive").await, due.difference(&stays).cloned().collect());

    // If every job fails, the command stops early.
    scheduler.database.run("alter table archive add constraint none check (priority < -9) not valid").await;
    scheduler
        .database
        .run("update job set completed_on = now() - interval '9 days' where state = 'completed'")
        .await;
    let refused =
        scheduler.maintain(&["archive", "--older-than=7d", "--per-job", "--execute"]).expect_refusal();
    assert!(refused.contains("archive stopped; everything listed above is done"), "{refused}");
}

#[tokio::test]
async fn one_id_in_two_queues_is_two_jobs() {
    let mut scheduler = Scheduler::new(Shape::Mid, 40, 0.14).await;
    let due = scheduler.jobs_of_finished_dags("7 days", "true").await;
    let (job, _) = first_with_dag(&mut scheduler, &due).await;
    scheduler
        .database
        .run(&format!(
            "insert into job (id, name, state, dag_id)
             select id, case name when 'load' then 'extract' else 'load' end, 'active', md5('dag')::uuid
             from job where id = '{job}'"
        ))
        .await;
    scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
    assert_eq!(scheduler.ids("select id from archive").await, due);
    let twin = format!("select count(*) from job where id = '{job}' and state = 'active'");
    assert_eq!(scheduler.count(&twin).await, 1);
}

#[tokio::test]
async fn referenced_rows_stay_and_cascades_are_announced() {
    let mut scheduler = Scheduler::new(Shape::New, 60, 0.16).await;
    let due = scheduler.jobs_of_finished_dags("7 days", "true").await;
    let (job, stays) = first_with_dag(&mut scheduler, &due).await;
    scheduler
        .database
        .run(&format!(
            "create table audit (id int primary key, job_id uuid references job (id));
             create table note (id int primary key, job_id uuid references job (id) on delete set null);
             insert into audit values (1, '{job}');
             insert into note select row_number() over (), id from job"
        ))
        .await;
    let mut left = scheduler.ids("select id from job").await;
    for outcome in ["completed", "failed"] {
        let printed =
            scheduler.maintain(&["purge", outcome, "--older-than=7d", "--execute"]).expect_success();
        assert!(!printed.contains("go with it"), "{printed}");
    }
    left.retain(|id| stays.contains(id) || !due.contains(id));
    assert_eq!(scheduler.ids("select id from job").await, left);
}

#[tokio::test]
async fn dag_stays_when_its_deletion_is_not_recorded() {
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 30, 0.17).await;
        scheduler
            .database
            .run(
                "create function tell() returns trigger language plpgsql as 'begin return null; end';
                 create trigger tell after delete on dag for each row execute function tell();
                 alter table dag disable trigger record_dag",
            )
            .await;
        let dags = scheduler.rows("dag").await;
        let due = scheduler.jobs_of_finished_dags("7 days", "true").await;
        let outcome = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]);
        assert!(outcome.errors.contains("is not recorded in dag_history, so they stay"), "{outcome:?}");
        assert!(outcome.expect_success().contains("and 0 rows of dag deleted"));
        assert_eq!(scheduler.rows("dag").await, dags, "{}", shape.name());
        assert_eq!(scheduler.ids("select id from archive").await, due);
    }
}
