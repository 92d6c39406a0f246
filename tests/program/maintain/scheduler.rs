//! A database with random DAGs, old and new, finished and unfinished; snapshots of its tables; and the command
//! `marie-exporter maintain`.

use std::collections::{BTreeMap, BTreeSet};

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Row};

use crate::support::databases::Database;
use crate::support::process::{output, text};

/// Rows of a table by id, as JSON text.
pub(crate) type Rows = BTreeMap<String, String>;

pub(crate) struct Scheduler {
    pub(crate) database: Database,
    pub(crate) shape: Shape,
}

/// Result of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) printed: String,
    pub(crate) errors: String,
}

impl Scheduler {
    /// Creates a database with `dags` random DAGs of up to eight jobs, and an archive that has every column of job.
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

    /// Returns the ids that a query finds.
    pub(crate) async fn ids(&mut self, sql: &str) -> BTreeSet<String> {
        let sql = format!("select id::text as id from ({sql}) as found");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.database.admin).await.unwrap();
        rows.iter().map(|row| row.get("id")).collect()
    }

    pub(crate) async fn count(&mut self, sql: &str) -> i64 {
        sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.database.admin).await.unwrap().get(0)
    }

    /// Returns the rows of all tables that a clean-up can change.
    pub(crate) async fn snapshot(&mut self) -> BTreeMap<&'static str, Rows> {
        let mut tables = vec!["job", "archive"];
        if self.shape != Shape::Page {
            tables.push("dag");
        }
        let mut snapshot = BTreeMap::new();
        for table in tables {
            snapshot.insert(table, self.rows(table).await);
        }
        snapshot
    }

    /// Returns the jobs that a clean-up should remove with their whole DAGs, computed independently of `judge.sql`.
    ///
    /// A DAG is finished if its own state is, and none of its jobs is active, waits for a retry, could start, or ended
    /// within `age`. `condition` limits the jobs further. Jobs without a DAG count as a DAG each.
    pub(crate) async fn jobs_of_finished_dags(&mut self, age: &str, condition: &str) -> BTreeSet<String> {
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
                 and {condition}"
        ))
        .await
    }
}

pub(crate) fn maintain(url: &str, arguments: &[&str]) -> Outcome {
    let output = output(&[&["maintain"], arguments, &["--database-url", url]].concat());
    Outcome {
        succeeded: output.status.success(),
        printed: text(&output.stdout),
        errors: text(&output.stderr),
    }
}

impl Outcome {
    /// Asserts success and returns the standard output.
    pub(crate) fn expect_success(self) -> String {
        assert!(self.succeeded, "{}{}", self.printed, self.errors);
        self.printed
    }

    /// Asserts failure and returns the error message.
    pub(crate) fn expect_refusal(self) -> String {
        assert!(!self.succeeded, "{}{}", self.printed, self.errors);
        let error = self.errors.lines().skip_while(|line| !line.starts_with("error: "));
        error.collect::<Vec<_>>().join("\n")
    }
}

/// Returns the lines of the printed table of queues and states.
pub(crate) fn table(printed: &str) -> Vec<String> {
    let lines = printed.lines().skip_while(|line| !line.starts_with("QUEUE")).skip(1);
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Returns the sum of the jobs in that table.
pub(crate) fn jobs(printed: &str) -> usize {
    table(printed).iter().map(|row| row.split_whitespace().nth(2).unwrap().parse::<usize>().unwrap()).sum()
}
