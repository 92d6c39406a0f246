//! The reads of a slice: each binds a statement's values and returns its rows.

use sqlx::Arguments;
use sqlx::Row;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::types::Uuid;

use super::statements::{
    LAST_DAG, MOVING, MOVING_OF_IDS, NEXT_JOBS, NEXT_OTHERS, NEXT_WAITING, OVER_ALL, OVER_DAGS, OVER_IDS,
    OVER_JOBS, SIZE, Statement, WITH_JOBS, Zeros, arguments,
};
use crate::collect::collector::{Context, Query};
use crate::postgres::{Failure, Reason, Run};

/// The jobs that the main statement reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// All unfinished jobs and DAGs.
    All,
    /// All unfinished jobs, without DAGs.
    Jobs,
    /// The unfinished DAGs with ids between these.
    Dags(Uuid, Uuid),
    /// The unfinished jobs with these ids.
    Ids(&'a [Uuid], Strays),
}

/// Which jobs a read by ids returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strays {
    /// Only jobs that belong to no unfinished DAG.
    Only,
    /// Of these, only those that [`Reads::next_waiting`] leaves out.
    NotWaiting,
    /// All jobs.
    AndOthers,
}

/// Place in the order of waiting jobs by `start_after` and DAG.
#[derive(Debug, Clone)]
pub(super) struct WaitingJob {
    /// As the database writes it.
    start_after: String,
    dag: Uuid,
}

impl WaitingJob {
    /// Returns the place before all jobs.
    pub(super) fn start() -> Self {
        WaitingJob { start_after: "-infinity".to_owned(), dag: Uuid::nil() }
    }
}

/// The transaction of a slice.
pub(super) struct Reads<'a, 'c> {
    pub(super) run: &'a mut Run,
    pub(super) context: &'a Context<'c>,
    /// The queues whose jobs are read, `None` for all.
    pub(super) queues: Option<&'a [String]>,
}

impl Reads<'_, '_> {
    /// Returns how many unfinished jobs and unfinished DAGs there are, `most` + 1 for any larger number.
    pub(super) async fn sizes(&mut self, most: i64) -> Result<(i64, i64), Failure> {
        let rows = self.fetch(&SIZE, |arguments| arguments.add(most.saturating_add(1))).await?;
        let Some(row) = rows.first() else { return Ok((0, 0)) };
        Ok((row.try_get("jobs")?, row.try_get("dags")?))
    }

    /// Returns the last of the next `count` unfinished DAGs, `None` if there are fewer.
    pub(super) async fn last_dag(&mut self, from: Uuid, count: i64) -> Result<Option<Uuid>, Failure> {
        let bind = |arguments: &mut PgArguments| {
            arguments.add(from)?;
            arguments.add(count)
        };
        let rows = self.fetch(&LAST_DAG, bind).await?;
        Ok(rows.first().map(|row| row.try_get("id")).transpose()?)
    }

    /// Looks at the next `count` unfinished jobs. Returns the last id and those to read, `None` if there is no job.
    pub(super) async fn next_jobs(
        &mut self,
        from: Uuid,
        count: i64,
        strays: Strays,
    ) -> Result<Option<(Uuid, Vec<Uuid>)>, Failure> {
        let bind = |arguments: &mut PgArguments| {
            arguments.add(from)?;
            arguments.add(count)?;
            arguments.add(strays == Strays::AndOthers)
        };
        let query = if strays == Strays::NotWaiting { &NEXT_OTHERS } else { &NEXT_JOBS };
        let rows = self.fetch(query, bind).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some((row.try_get("id")?, row.try_get("ids")?)))
    }

    /// Looks at the next `count` waiting jobs that have a start and a DAG. Returns the last place and the ids of the jobs to
    /// read, `None` if there is no job.
    pub(super) async fn next_waiting(
        &mut self,
        after: &WaitingJob,
        count: i64,
    ) -> Result<Option<(WaitingJob, Vec<Uuid>)>, Failure> {
        let bind = |arguments: &mut PgArguments| {
            arguments.add(&after.start_after)?;
            arguments.add(after.dag)?;
            arguments.add(count)
        };
        let rows = self.fetch(&NEXT_WAITING, bind).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let last = WaitingJob { start_after: row.try_get("start_after")?, dag: row.try_get("dag_id")? };
        Ok(Some((last, row.try_get("ids")?)))
    }

    /// Runs the main statement.
    pub(super) async fn jobs(&mut self, scope: Scope<'_>, zeros: Zeros) -> Result<Vec<PgRow>, Failure> {
        let (statement, context): (&Statement, _) = match scope {
            Scope::All => (&OVER_ALL, self.context),
            Scope::Jobs => (&OVER_JOBS, self.context),
            Scope::Dags(..) => (&OVER_DAGS, self.context),
            Scope::Ids(..) => (&OVER_IDS, self.context),
        };
        let bind = |added: &mut PgArguments| {
            *added = arguments(context, zeros)?;
            scope.bind(added)
        };
        self.fetch(statement.query(context.schema), bind).await
    }

    /// Returns the DAGs that an unfinished job of these queues moves.
    pub(super) async fn moving_dags(
        &mut self,
        own: &[String],
        scope: Scope<'_>,
    ) -> Result<Vec<Uuid>, Failure> {
        let statement = if let Scope::Ids(..) = scope { &MOVING_OF_IDS } else { &MOVING };
        let bind = |arguments: &mut PgArguments| {
            arguments.add(own)?;
            // $2 to $9 have a meaning in the main statement only.
            for _ in 2..=9 {
                arguments.add(false)?;
            }
            scope.bind(arguments)
        };
        let rows = self.fetch(statement.query(self.context.schema), bind).await?;
        Ok(rows.iter().map(|row| row.try_get("dag_id")).collect::<Result<_, _>>()?)
    }

    /// Returns those of the DAGs that have jobs, each with whether one of them failed.
    pub(super) async fn dags_with_jobs(&mut self, dags: &[Uuid]) -> Result<Vec<(Uuid, bool)>, Failure> {
        let rows = self.fetch(&WITH_JOBS, |arguments| arguments.add(dags)).await?;
        let pair = |row: &PgRow| Ok((row.try_get("dag_id")?, row.try_get("has_failed")?));
        Ok(rows.iter().map(pair).collect::<Result<_, sqlx::Error>>()?)
    }

    async fn fetch(
        &mut self,
        query: &'static Query,
        bind: impl FnOnce(&mut PgArguments) -> Result<(), BoxDynError>,
    ) -> Result<Vec<PgRow>, Failure> {
        let mut arguments = PgArguments::default();
        bind(&mut arguments)
            .map_err(|error| Failure::new(Reason::Other, format!("{}: {error}", query.sql.name)))?;
        query.fetch_of(self.run, self.context.schema, arguments, self.queues).await
    }
}

impl Scope<'_> {
    /// Adds $10 and $11.
    fn bind(self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        match self {
            Scope::All | Scope::Jobs => Ok(()),
            Scope::Dags(from, to) => {
                arguments.add(from)?;
                arguments.add(to)
            }
            Scope::Ids(ids, strays) => {
                arguments.add(ids)?;
                arguments.add(strays == Strays::AndOthers)
            }
        }
    }
}
