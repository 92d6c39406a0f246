//! `maintain purge completed` and `maintain purge failed`: finished DAGs are deleted with their jobs.

use super::cleanup::Cleanup;
use super::disposal::{Dags, Disposal, has_dags};
use super::plan::{Criteria, Ended};
use super::references::References;
use super::writer::Writer;
use crate::config::Config;
use crate::maintain::args::{Outcome, Purge};
use crate::terminal::console::Console;

pub(super) async fn purge(
    config: &Config,
    writer: &mut Writer,
    outcome: Outcome,
    asked: &Purge,
    console: &Console,
) -> anyhow::Result<()> {
    writer.begin_reading().await?;
    let references = References::read(writer, &config.database.schema).await?;
    let notes = references.notes();
    let (name, ended) = match outcome {
        Outcome::Completed => ("purge completed", Ended::Completed),
        Outcome::Failed => ("purge failed", Ended::Failed),
    };
    let dags = if asked.per_job || !has_dags(&writer.schema) { Dags::Stay } else { Dags::Go };
    let criteria = Criteria {
        cutoff: writer.cutoff(asked.age.older_than).await?,
        per_job: asked.per_job,
        ended,
        spares_archived: false,
        spares_referred: references.forbidding(),
    };
    let cleanup = Cleanup {
        name,
        done: "deleted",
        config,
        criteria,
        disposal: Disposal::Delete { dags },
        batches: asked.batches,
        destruction: &asked.destruction,
        references: &references,
        notes,
    };
    cleanup.run(writer, console).await
}
