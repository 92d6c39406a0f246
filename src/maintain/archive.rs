//! `maintain archive`: finished DAGs leave the scheduler's way, their jobs into the table archive.

use sqlx::Row;

use super::cleanup::Cleanup;
use super::columns::Columns;
use super::disposal::{Dags, Disposal, has_dags};
use super::plan::{Criteria, Ended};
use super::references::References;
use super::writer::Writer;
use crate::config::{Config, SchemaName, quote_identifier};
use crate::maintain::args::Archive;
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::console::Console;

pub(super) async fn archive(
    config: &Config,
    writer: &mut Writer,
    asked: &Archive,
    console: &Console,
) -> anyhow::Result<()> {
    let schema = &config.database.schema;
    writer.begin_reading().await?;
    let mut notes = Vec::new();
    let disposal = disposal(writer, schema, asked, &mut notes).await?;
    let references = References::read(writer, schema).await?;
    let criteria = Criteria {
        cutoff: writer.cutoff(asked.age.older_than).await?,
        per_job: asked.per_job,
        ended: Ended::Anyhow,
        spares_archived: !asked.replace,
        spares_referred: references.clone(),
    };
    let cleanup = Cleanup {
        name: "archive",
        done: "archived",
        config,
        criteria,
        disposal,
        batches: asked.batches,
        destruction: &asked.destruction,
        references: &references,
        notes,
    };
    cleanup.run(writer, console).await
}

async fn disposal(
    writer: &mut Writer,
    schema: &SchemaName,
    asked: &Archive,
    notes: &mut Vec<String>,
) -> Result<Disposal, Failure> {
    if writer.schema.is_missing(&Need::Table("archive")) {
        let message = format!(
            "there is no table archive in the schema {0} to move jobs into. Make one:\n  CREATE TABLE {0}.archive (LIKE \
             {0}.job, archived_on timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, id));",
            schema.quoted()
        );
        return Err(Failure::new(Reason::Other, message));
    }
    let jobs = Columns::of(writer, schema, "job").await?;
    let archive = Columns::of(writer, schema, "archive").await?;
    jobs.refuse_loss(&archive, schema, &asked.allow_dropping)?;
    jobs.refuse_unfit_archive(&archive, schema)?;
    let dags = if asked.per_job || !has_dags(&writer.schema) {
        Dags::Stay
    } else {
        dags(writer, schema, notes).await?
    };
    Ok(Disposal::Archive {
        columns: jobs.shared_with(&archive, ""),
        moved_columns: jobs.shared_with(&archive, "j."),
        replace: asked.replace,
        dags,
    })
}

/// A DAG's own row may go where its last state is kept in the history.
async fn dags(writer: &mut Writer, schema: &SchemaName, notes: &mut Vec<String>) -> Result<Dags, Failure> {
    let recorded: bool = writer
        .fetch_one(sqlx::query(include_str!("dag_deletions_are_recorded.sql")).bind(schema.as_str()))
        .await?
        .try_get("recorded")?;
    if !recorded || writer.schema.is_missing(&Need::Table("dag_history")) {
        let note = "The rows of the DAGs themselves stay: no trigger records their deletion in dag_history.";
        notes.push(note.to_owned());
        return Ok(Dags::Stay);
    }
    let history = Columns::of(writer, schema, "dag_history").await?;
    let lost = Columns::of(writer, schema, "dag").await?;
    let lost: Vec<String> = lost.beyond(&history).into_iter().map(quote_identifier).collect();
    Ok(Dags::GoIfRecorded(lost))
}
