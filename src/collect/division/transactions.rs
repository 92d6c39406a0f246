//! Short transactions on one session, one after another.

use std::time::Duration;

use crate::postgres::{Failure, Plans, Run, Session};
use crate::schema::Schema;

/// Why the rest of a run is skipped.
pub(crate) enum Stop {
    Unreachable(Failure),
    Failed(Failure),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unreachable(failure) | Stop::Failed(failure) => failure,
        }
    }
}

/// Opens one transaction after another on a session.
pub(crate) struct Transactions<'a> {
    session: &'a mut Session,
    schema: &'a Schema,
    /// How long the database was busy with all of them.
    pub(crate) busy: Duration,
}

impl<'a> Transactions<'a> {
    pub(crate) fn new(session: &'a mut Session, schema: &'a Schema) -> Self {
        Transactions { session, schema, busy: Duration::ZERO }
    }

    pub(crate) fn schema(&self) -> &'a Schema {
        self.schema
    }

    pub(crate) async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let run = self.session.begin().await.map_err(Stop::Unreachable)?;
        self.finish(run, work).await
    }

    /// Runs `work` in a transaction whose statements are planned for the values of their parameters.
    pub(crate) async fn run_for_values<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let run = self.session.begin_planning_for_values().await.map_err(Stop::Unreachable)?;
        self.finish(run, work).await
    }

    /// Opens a transaction that plans its statements like this.
    pub(crate) async fn run_with<T>(
        &mut self,
        plans: Plans,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        match plans {
            Plans::Custom => self.run_for_values(work).await,
            Plans::Generic | Plans::Auto => self.run(work).await,
        }
    }

    async fn finish<T>(
        &mut self,
        mut run: Run,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let outcome = match self.schema.permit_policies(&mut run).await {
            Ok(()) => work(&mut run).await,
            Err(failure) => Err(failure),
        };
        self.busy += run.busy();
        self.session.finish(run, outcome.as_ref().err()).await;
        outcome.map_err(Stop::Failed)
    }
}
