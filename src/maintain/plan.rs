//! The plan of a clean-up: which units it takes, and which it keeps and why.
//!
//! A unit is a DAG with all its jobs, or one job. One query, `judge.sql`, selects the units. It runs over all jobs for the
//! plan, and again over the locked jobs of each batch before they are removed.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Row};

use super::criteria::Criteria;
use super::session::WriteSession;
use super::tally::{JobCount, Tally, to_count};
use crate::postgres::Failure;
use crate::terminal::plural::counted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// Id of the DAG or of the job.
    pub(super) id: Uuid,
    pub(super) is_dag: bool,
    pub(super) jobs: u64,
}

/// Units and jobs that are kept for one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KeptCount {
    pub(super) units: u64,
    pub(super) jobs: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) units: Vec<Unit>,
    /// Jobs of these units.
    pub(super) tally: Tally,
    /// Old units that are kept, by reason.
    pub(super) kept: BTreeMap<String, KeptCount>,
}

impl Plan {
    /// Reads the plan for all jobs, in the open transaction.
    pub(super) async fn read(session: &mut WriteSession, criteria: &Criteria) -> Result<Self, Failure> {
        let statement = criteria.statement(&session.schema, false);
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(&criteria.cutoff)
            .bind(criteria.per_job)
            .bind(criteria.outcome_label());
        let mut plan = Plan::default();
        // Row by row, because a large history has hundreds of thousands of DAGs.
        session.fetch_each(query, |row| plan.add(row)).await?;
        Ok(plan)
    }

    /// Reads the plan for the DAGs and single jobs of one batch, in the open transaction.
    pub(super) async fn read_batch(
        session: &mut WriteSession,
        criteria: &Criteria,
        dags: &[Uuid],
        singles: &[Uuid],
    ) -> Result<Self, Failure> {
        let statement = criteria.statement(&session.schema, true);
        let query = sqlx::query(AssertSqlSafe(statement))
            .bind(&criteria.cutoff)
            .bind(criteria.per_job)
            .bind(criteria.outcome_label())
            .bind(dags)
            .bind(singles);
        let mut plan = Plan::default();
        for row in session.fetch_all(query).await? {
            plan.add(&row)?;
        }
        Ok(plan)
    }

    /// Adds a row of `judge.sql`. The rows of a unit follow one another.
    fn add(&mut self, row: &PgRow) -> Result<(), Failure> {
        let id = row.try_get("unit")?;
        let jobs = to_count("jobs", row.try_get("jobs")?)?;
        if let Some(reason) = row.try_get("kept")? {
            let kept = self.kept.entry(reason).or_default();
            kept.units += u64::from(row.try_get::<bool, _>("is_first")?);
            kept.jobs += jobs;
            return Ok(());
        }
        match self.units.last_mut().filter(|unit| unit.id == id) {
            Some(unit) => unit.jobs += jobs,
            None => self.units.push(Unit { id, is_dag: row.try_get("is_dag")?, jobs }),
        }
        let queue = row.try_get::<Option<String>, _>("queue")?.unwrap_or_default();
        let count = JobCount { jobs, oldest: row.try_get("oldest")?, newest: row.try_get("newest")? };
        self.tally.add(queue, row.try_get("state")?, count);
        Ok(())
    }

    /// Returns the number of DAGs among the units.
    pub(super) fn dags(&self) -> u64 {
        self.units.iter().filter(|unit| unit.is_dag).count() as u64
    }
}

/// Returns the first units that have at most `rows` jobs together, but at least one unit. A DAG is never divided.
pub(super) fn next_batch(units: &[Unit], rows: u32) -> &[Unit] {
    let mut jobs = 0;
    let fits = |(place, unit): &(usize, &Unit)| {
        jobs += unit.jobs;
        *place == 0 || jobs <= u64::from(rows)
    };
    &units[..units.iter().enumerate().take_while(fits).count()]
}

/// Returns a text such as `12 jobs of 3 DAGs and 2 without a DAG`.
pub(super) fn describe(units: &[Unit]) -> String {
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
    fn batch_has_whole_dags_and_at_least_one() {
        let unit = |number: u128, jobs| Unit { id: Uuid::from_u128(number), is_dag: true, jobs };
        let units = [unit(1, 3), unit(2, 3), unit(3, 4), unit(4, 25), unit(5, 1), unit(6, 10)];
        let mut rest = &units[..];
        let mut sizes: Vec<Vec<u64>> = Vec::new();
        while !rest.is_empty() {
            let batch = next_batch(rest, 10);
            sizes.push(batch.iter().map(|unit| unit.jobs).collect());
            rest = &rest[batch.len()..];
        }
        assert_eq!(sizes, [vec![3, 3, 4], vec![25], vec![1], vec![10]]);
        assert!(next_batch(&[], 10).is_empty());
    }
}
