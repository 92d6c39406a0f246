//! `maintain purge completed` and `maintain purge failed`: delete finished DAGs with their jobs.

use super::args::{JobOutcome, PurgeArgs};
use super::cleanup::Cleanup;
use super::criteria::Criteria;
use super::foreign_keys::ForeignKeys;
use super::removal::{DagRows, Removal, has_dags};
use super::session::WriteSession;
use crate::config::Config;
use crate::terminal::console::Console;

pub(super) async fn purge(
    config: &Config,
    session: &mut WriteSession,
    outcome: JobOutcome,
    args: &PurgeArgs,
    console: &Console,
) -> anyhow::Result<()> {
    session.begin_read().await?;
    let foreign_keys = ForeignKeys::read(session, &config.database.schema).await?;
    let name = match outcome {
        JobOutcome::Completed => "purge completed",
        JobOutcome::Failed => "purge failed",
    };
    let dag_rows = if args.per_job || !has_dags(&session.schema) { DagRows::Keep } else { DagRows::Delete };
    let criteria = Criteria {
        cutoff: session.cutoff(args.age.older_than).await?,
        per_job: args.per_job,
        outcome: Some(outcome),
        keeps_archived: false,
        keeping_keys: foreign_keys.forbidding(),
    };
    let cleanup = Cleanup {
        name,
        removed: "deleted",
        config,
        criteria,
        removal: Removal::Delete { dag_rows },
        batch_args: args.batch,
        removal_args: &args.removal,
        foreign_keys: &foreign_keys,
        notes: foreign_keys.notes(),
    };
    cleanup.run(session, console).await
}
