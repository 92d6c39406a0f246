//! `maintain archive`: moves the jobs of finished DAGs to the table archive, and deletes the rows of the DAGs.
//!
//! Decides which columns move and what happens to the rows of DAGs. [`Cleanup`] does the rest.

use sqlx::Row;

use super::archive_columns::StoredColumns;
use super::args::ArchiveArgs;
use super::cleanup::Cleanup;
use super::criteria::Criteria;
use super::foreign_keys::ForeignKeys;
use super::removal::{DagRows, Removal, has_dags};
use super::session::WriteSession;
use crate::config::{Config, SchemaName, quote_identifier};
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::console::Console;

pub(super) async fn archive(
    config: &Config,
    session: &mut WriteSession,
    args: &ArchiveArgs,
    console: &Console,
) -> anyhow::Result<()> {
    let schema = &config.database.schema;
    session.begin_read().await?;
    let mut notes = Vec::new();
    let removal = removal(session, schema, args, &mut notes).await?;
    let foreign_keys = ForeignKeys::read(session, schema).await?;
    let criteria = Criteria {
        cutoff: session.cutoff(args.age.older_than).await?,
        per_job: args.per_job,
        outcome: None,
        keeps_archived: !args.replace,
        keeping_keys: foreign_keys.clone(),
    };
    let cleanup = Cleanup {
        name: "archive",
        removed: "archived",
        config,
        criteria,
        removal,
        batch_args: args.batch,
        removal_args: &args.removal,
        foreign_keys: &foreign_keys,
        notes,
    };
    cleanup.run(session, console).await
}

/// Returns how jobs move to the archive.
///
/// # Errors
/// Also if there is no table archive, or if it has no place for something that a job contains.
async fn removal(
    session: &mut WriteSession,
    schema: &SchemaName,
    args: &ArchiveArgs,
    notes: &mut Vec<String>,
) -> Result<Removal, Failure> {
    if session.schema.is_missing(&Need::Table("archive")) {
        let message = format!(
            "there is no table archive in the schema {0} to move jobs into. Make one:\n  CREATE TABLE {0}.archive (LIKE \
             {0}.job, archived_on timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, id));",
            schema.quoted()
        );
        return Err(Failure::new(Reason::Other, message));
    }
    let jobs = StoredColumns::read(session, schema, "job").await?;
    let archive = StoredColumns::read(session, schema, "archive").await?;
    jobs.refuse_loss(&archive, schema, &args.allow_dropping)?;
    jobs.refuse_unfit_archive(&archive, schema)?;
    let dag_rows = if args.per_job || !has_dags(&session.schema) {
        DagRows::Keep
    } else {
        dag_rows(session, schema, notes).await?
    };
    Ok(Removal::Archive {
        columns: jobs.shared_with(&archive, ""),
        moved_columns: jobs.shared_with(&archive, "j."),
        replace: args.replace,
        dag_rows,
    })
}

/// Returns what happens to the rows of DAGs. They are deleted only if the history keeps their last state.
async fn dag_rows(
    session: &mut WriteSession,
    schema: &SchemaName,
    notes: &mut Vec<String>,
) -> Result<DagRows, Failure> {
    let statement = sqlx::query(include_str!("dag_deletions_are_recorded.sql")).bind(schema.as_str());
    let is_recorded: bool = session.fetch_one(statement).await?.try_get("is_recorded")?;
    if !is_recorded || session.schema.is_missing(&Need::Table("dag_history")) {
        let note = "The rows of the DAGs themselves stay: no trigger records their deletion in dag_history.";
        notes.push(note.to_owned());
        return Ok(DagRows::Keep);
    }
    let history = StoredColumns::read(session, schema, "dag_history").await?;
    let dags = StoredColumns::read(session, schema, "dag").await?;
    let lost: Vec<String> = dags.missing_from(&history).into_iter().map(quote_identifier).collect();
    Ok(DagRows::DeleteIfRecorded(lost))
}
