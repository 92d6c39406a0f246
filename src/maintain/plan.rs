//! What a clean-up would take: which units, and how many jobs of which queues and states; and what it leaves where it is,
//! and why. A unit is a DAG with all its jobs, or a single job. The judgement is one query (`judge.sql`), which is asked
//! of all jobs for the plan and of a batch's, once they are locked, before they go.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Row};

use super::references::References;
use super::writer::Writer;
use crate::collect::collector::Fallback;
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::postgres::{Failure, Reason};
use crate::schema::Schema;
use crate::terminal::plural::counted;

/// Which units are to go.
#[derive(Debug, Clone)]
pub(super) struct Criteria {
    /// Taken once, by the database's clock.
    pub(super) cutoff: String,
    pub(super) per_job: bool,
    pub(super) ended: Ended,
    /// Whether a unit stays of which a job is in the archive already.
    pub(super) spares_archived: bool,
    /// Whose rows keep a unit where it is.
    pub(super) spares_referred: References,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Anyhow,
    Completed,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) id: Uuid,
    pub(super) is_dag: bool,
    pub(super) jobs: u64,
}

/// Jobs of one queue in one state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) jobs: u64,
    /// Their earliest and latest completion; none where it is no date.
    pub(super) oldest: Option<String>,
    pub(super) newest: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) units: Vec<Unit>,
    /// By queue and state.
    pub(super) parts: BTreeMap<(String, String), Part>,
    /// Units and jobs that stay, by reason.
    pub(super) kept: BTreeMap<String, (u64, u64)>,
}

impl Plan {
    /// The plan for all jobs, in the writer's transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn of_all(writer: &mut Writer, criteria: &Criteria) -> Result<Self, Failure> {
        let statement = criteria.statement(&writer.schema, None);
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(&criteria.cutoff)
            .bind(criteria.per_job)
            .bind(criteria.ended.label());
        let mut plan = Plan::default();
        // Row by row: a large history has hundreds of thousands of DAGs.
        writer.fetch_each(query, |row| plan.add(row)).await?;
        Ok(plan)
    }

    /// The same for the units of a batch.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn of_batch(
        writer: &mut Writer,
        criteria: &Criteria,
        dags: &[Uuid],
        singles: &[Uuid],
    ) -> Result<Self, Failure> {
        let statement = criteria.statement(&writer.schema, Some(include_str!("batch.sql")));
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(&criteria.cutoff)
            .bind(criteria.per_job)
            .bind(criteria.ended.label())
            .bind(dags)
            .bind(singles);
        let mut plan = Plan::default();
        for row in writer.fetch_all(query).await? {
            plan.add(&row)?;
        }
        Ok(plan)
    }

    fn add(&mut self, row: &PgRow) -> Result<(), Failure> {
        let id = row.try_get("unit")?;
        let jobs = count("jobs", row.try_get("jobs")?)?;
        if let Some(reason) = row.try_get("kept")? {
            let (units, sum) = self.kept.entry(reason).or_default();
            *units += u64::from(row.try_get::<bool, _>("is_first")?);
            *sum += jobs;
            return Ok(());
        }
        match self.units.last_mut().filter(|unit| unit.id == id) {
            Some(unit) => unit.jobs += jobs,
            None => self.units.push(Unit { id, is_dag: row.try_get("is_dag")?, jobs }),
        }
        let queue = row.try_get::<Option<String>, _>("queue")?.unwrap_or_default();
        let part = Part { jobs, oldest: row.try_get("oldest")?, newest: row.try_get("newest")? };
        self.parts.entry((queue, row.try_get("state")?)).or_default().absorb(part);
        Ok(())
    }

    /// Adds what a batch has taken.
    pub(super) fn absorb(&mut self, other: Plan) {
        self.units.extend(other.units);
        for (key, part) in other.parts {
            self.parts.entry(key).or_default().absorb(part);
        }
        for (reason, (units, jobs)) in other.kept {
            let (all_units, all_jobs) = self.kept.entry(reason).or_default();
            *all_units += units;
            *all_jobs += jobs;
        }
    }

    pub(super) fn jobs(&self) -> u64 {
        self.parts.values().map(|part| part.jobs).sum()
    }

    pub(super) fn dags(&self) -> u64 {
        self.units.iter().filter(|unit| unit.is_dag).count() as u64
    }

    /// `12 jobs of 3 DAGs`.
    pub(super) fn sum(&self) -> String {
        units(&self.units)
    }

    /// The first of these units, with at most so many jobs together; a DAG is never divided.
    pub(super) fn batch(units: &[Unit], rows: u32) -> &[Unit] {
        let mut jobs = 0;
        let fits = |(place, unit): &(usize, &Unit)| {
            jobs += unit.jobs;
            *place == 0 || jobs <= u64::from(rows)
        };
        &units[..units.iter().enumerate().take_while(fits).count()]
    }
}

/// A count that the database has returned.
///
/// # Errors
/// Where it is negative.
pub(super) fn count(column: &str, value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|error| Failure::new(Reason::Other, format!("{column}: {value}: {error}")))
}

impl Part {
    fn absorb(&mut self, other: Part) {
        self.jobs += other.jobs;
        // As text they are in the order of time.
        self.oldest = [self.oldest.take(), other.oldest].into_iter().flatten().min();
        self.newest = [self.newest.take(), other.newest].into_iter().flatten().max();
    }
}

impl Ended {
    fn label(self) -> &'static str {
        match self {
            Ended::Anyhow => "any",
            Ended::Completed => "completed",
            Ended::Failed => "failed",
        }
    }
}

impl Criteria {
    /// The judgement behind what it reads here: all jobs, or those of `batch`.
    fn statement(&self, schema: &Schema, batch: Option<&str>) -> String {
        const ALL: &str = "candidate as not materialized \
             (select id, name, dag_id, state, completed_on from marie_scheduler.job)";
        const NONE: &str = "archived as (select null::uuid as id, null::text as name where false)";
        let mut tables = vec![batch.unwrap_or(ALL)];
        let fallbacks: Vec<&Fallback> =
            [&NO_DAGS, &DEPENDENCIES_FROM_JSON].into_iter().filter(|it| it.is_used(schema)).collect();
        tables.extend(fallbacks.iter().map(|fallback| fallback.sql));
        let replaced: Vec<_> = fallbacks.iter().map(|fallback| (fallback.table, fallback.table)).collect();
        tables.push(if self.spares_archived {
            "archived as not materialized (select id, name from marie_scheduler.archive)"
        } else {
            NONE
        });
        let [jobs, dags] = self.spares_referred.tables(batch.is_some());
        tables.extend([jobs.as_str(), dags.as_str()]);
        format!(
            "with {}\nselect judged.* from (\n{}\n) as judged",
            schema.name.qualify(&tables.join(",\n")),
            schema.name.qualify_except(include_str!("judge.sql"), &replaced)
        )
    }
}

/// Returns, for example, `12 jobs of 3 DAGs and 2 without a DAG`.
pub(super) fn units(units: &[Unit]) -> String {
    let jobs = counted(units.iter().map(|unit| unit.jobs).sum(), "job");
    let dags = units.iter().filter(|unit| unit.is_dag).count();
    match (dags, units.len() - dags) {
        (0, _) => jobs,
        (_, 0) => format!("{jobs} of {}", counted(dags as u64, "DAG")),
        (_, singles) => format!("{jobs} of {} and {singles} without a DAG", counted(dags as u64, "DAG")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dag_is_never_divided_and_each_batch_has_one_at_least() {
        let unit = |number: u128, jobs| Unit { id: Uuid::from_u128(number), is_dag: true, jobs };
        let units = [unit(1, 3), unit(2, 3), unit(3, 4), unit(4, 25), unit(5, 1), unit(6, 10)];
        let mut rest = &units[..];
        let mut sizes: Vec<Vec<u64>> = Vec::new();
        while !rest.is_empty() {
            let batch = Plan::batch(rest, 10);
            sizes.push(batch.iter().map(|unit| unit.jobs).collect());
            rest = &rest[batch.len()..];
        }
        assert_eq!(sizes, [vec![3, 3, 4], vec![25], vec![1], vec![10]]);
        assert!(Plan::batch(&[], 10).is_empty());
    }
}
