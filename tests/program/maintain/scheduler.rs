//! A scheduler's tables full of random DAGs, old and new, finished and not; what is in them at a moment; and the command
//! that cleans them up.

use std::collections::{BTreeMap, BTreeSet};

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Row};

use crate::support::databases::Database;
use crate::support::process::{output, text};

/// Each table's rows by id, whole, as text.
pub(crate) type Rows = BTreeMap<String, String>;

pub(crate) struct Scheduler {
    pub(crate) database: Database,
    pub(crate) shape: Shape,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) told: String,
    pub(crate) errors: String,
}

impl Scheduler {
    /// With so many DAGs of up to eight jobs, made from `seed`, and an archive that has a column for everything.
    pub(crate) async fn new(shape: Shape, dags: u32, seed: f64) -> Self {
        let mut database = Database::new(shape).await;
        let (fill, archive) = if shape == Shape::Page {
            let archive = "create table archive (like job including defaults,
                archived_on timestamptz not null default now(), primary key (id))";
            (include_str!("fill_page.sql"), archive)
        } else {
            let archive = match shape {
                Shape::Old => "",
                Shape::Mid => "alter table archive add column branch_metadata jsonb",
                _ => "alter table archive add column branch_metadata jsonb, add column run_attempt_id uuid",
            };
            (include_str!("fill.sql"), archive)
        };
        database.run(archive).await;
        if shape != Shape::Page {
            database.run("select create_queue('load', '{}')").await;
        }
        let fill = fill.replace("$seed", &seed.to_string()).replace("$dags", &dags.to_string());
        database.run(&fill).await;
        Scheduler { database, shape }
    }

    /// Runs `marie-exporter maintain …`.
    pub(crate) fn maintain(&self, arguments: &[&str]) -> Outcome {
        maintain(&self.database.url, arguments)
    }

    pub(crate) async fn rows(&mut self, table: &str) -> Rows {
        let sql = format!(
            "select id::text, to_jsonb(t) #- '{{archived_on}}' as whole from (select * from {table}) as t"
        );
        let sql = format!("select id, whole::text as whole from ({sql}) as listed");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.database.admin).await.unwrap();
        rows.iter().map(|row| (row.get("id"), row.get("whole"))).collect()
    }

    /// The ids that a query finds.
    pub(crate) async fn ids(&mut self, sql: &str) -> BTreeSet<String> {
        let sql = format!("select id::text as id from ({sql}) as found");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.database.admin).await.unwrap();
        rows.iter().map(|row| row.get("id")).collect()
    }

    pub(crate) async fn count(&mut self, sql: &str) -> i64 {
        sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.database.admin).await.unwrap().get(0)
    }

    /// Everything that a clean-up could change.
    pub(crate) async fn everything(&mut self) -> BTreeMap<&'static str, Rows> {
        let mut tables = vec!["job", "archive"];
        if self.shape != Shape::Page {
            tables.push("dag");
        }
        let mut everything = BTreeMap::new();
        for table in tables {
            everything.insert(table, self.rows(table).await);
        }
        everything
    }

    /// The jobs that leave with their whole DAGs, said in other words than the command's: DAGs none of whose jobs is
    /// about to run, could start or ended within `age`, whose own state is a finished one, and that `besides` holds for;
    /// and the same of jobs without a DAG.
    pub(crate) async fn in_finished_dags(&mut self, age: &str, besides: &str) -> BTreeSet<String> {
        let (dag, can_start) = if self.shape == Shape::Page {
            ("true", "true")
        } else {
            (
                "(select d.state in ('completed', 'failed', 'cancelled', 'expired') from dag as d where d.id = j.dag_id)",
                "not exists (
                     select from job as p
                     where m.dependencies ? p.id::text and p.state::text not in ('completed', 'skipped')
                 )",
            )
        };
        self.ids(&format!(
            "select j.id from job as j
             where {dag}
                 and exists (
                     select from job as f
                     where coalesce(f.dag_id, f.id) = coalesce(j.dag_id, j.id)
                         and f.completed_on < now() - interval '{age}'
                 )
                 and not exists (
                     select from job as m
                     where coalesce(m.dag_id, m.id) = coalesce(j.dag_id, j.id)
                         and (m.state::text in ('retry', 'active') or m.state::text = 'created' and {can_start} or m.completed_on >= now() - interval '{age}')
                 )
                 and {besides}"
        ))
        .await
    }
}

pub(crate) fn maintain(url: &str, arguments: &[&str]) -> Outcome {
    let output = output(&[&["maintain"], arguments, &["--database-url", url]].concat());
    Outcome { succeeded: output.status.success(), told: text(&output.stdout), errors: text(&output.stderr) }
}

impl Outcome {
    /// What it printed, having succeeded.
    pub(crate) fn expect(self) -> String {
        assert!(self.succeeded, "{}{}", self.told, self.errors);
        self.told
    }

    /// Its last word, having failed.
    pub(crate) fn refused(self) -> String {
        assert!(!self.succeeded, "{}{}", self.told, self.errors);
        let error = self.errors.lines().skip_while(|line| !line.starts_with("error: "));
        error.collect::<Vec<_>>().join("\n")
    }
}

/// The rows of the table of queues and states that a command prints, as they stand there.
pub(crate) fn table(told: &str) -> Vec<String> {
    let lines = told.lines().skip_while(|line| !line.starts_with("QUEUE")).skip(1);
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The sum of its jobs.
pub(crate) fn jobs(told: &str) -> usize {
    table(told).iter().map(|row| row.split_whitespace().nth(2).unwrap().parse::<usize>().unwrap()).sum()
}
