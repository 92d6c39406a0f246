//! `jobs show`: one job in sections.
//!
//! A section that this database does not have is left out. A section that could not be read says why, and the others are
//! printed all the same.

use clap::Args;
use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlx::types::Uuid;

use super::job_sections::{
    ARCHIVED, ATTEMPTS, ArchivedJob, BOUNDS, Bounds, CHILDREN, HISTORY_BY_ID, INDEXED_TIMELINE, JOB, LEASES,
    PARENTS, PAYLOAD, SETTINGS, TIMELINE,
};
use crate::collect::collector::Query;
use crate::config::values;
use crate::inspect::bind::{bind, id_arguments};
use crate::inspect::command::ShowCommand;
use crate::inspect::reader::{Fetched, Reader};
use crate::inspect::scope::Scope;
use crate::inspect::sections::{Body, Section, Sections};
use crate::postgres::{Failure, Reason};
use crate::terminal::columns::Column;
use crate::terminal::table;

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsShow {
    /// The job's id
    #[arg(value_parser = values::id)]
    id: Uuid,

    /// Print data and output as well, which the exporter's own role may not read
    #[arg(long)]
    payload: bool,
}

impl JobsShow {
    pub(crate) const QUERIES: &[&Query] = &[
        &JOB.query,
        &SETTINGS.query,
        &LEASES.query,
        &PARENTS.query,
        &CHILDREN.query,
        &ATTEMPTS.query,
        &BOUNDS.query,
        &TIMELINE.query,
        &ARCHIVED.query,
    ];
}

impl ShowCommand for JobsShow {
    fn scope(&self) -> Scope<'_> {
        Scope::Job(self.id)
    }

    fn read<'a>(&'a self, reader: &'a mut Reader<'_>) -> BoxFuture<'a, Result<Sections, Failure>> {
        Box::pin(read(reader, self))
    }
}

async fn read(reader: &mut Reader<'_>, command: &JobsShow) -> Result<Sections, Failure> {
    let id = command.id;
    if command.payload {
        reader.may_run(&PAYLOAD.query)?;
    }
    let job = reader.fetch(&JOB, id_arguments(id)?).await?;
    let Some(fields) = job.rows.into_iter().next() else {
        return Err(no_such_job(reader, id).await?);
    };
    let mut fields: Vec<(Column, Value)> = JOB.columns.iter().copied().zip(fields).collect();
    let settings = reader.try_fetch(&SETTINGS, id_arguments(id)?).await?;
    let mut sections = Sections::default();
    if let Fetched::Rows(settings) = settings {
        let settings = settings.rows.into_iter().next().unwrap_or_default();
        fields.extend(SETTINGS.columns.iter().copied().zip(settings));
        sections.push("job", Body::Fields(fields));
    } else {
        sections.push("job", Body::Fields(fields));
        sections.extend(Section::rows("settings", &SETTINGS, settings));
    }
    let leases = reader.try_fetch(&LEASES, id_arguments(id)?).await?;
    sections.extend(Section::fields("leases", &LEASES, leases));
    for (name, listing) in [("parents", &PARENTS), ("children", &CHILDREN), ("attempts", &ATTEMPTS)] {
        let fetched = reader.try_fetch(listing, id_arguments(id)?).await?;
        sections.extend(Section::rows(name, listing, fetched));
    }
    // Last, because it can take long.
    sections.extend(timeline(reader, id).await?);
    if command.payload {
        let payload = reader.try_fetch(&PAYLOAD, id_arguments(id)?).await?;
        sections.extend(Section::documents(&PAYLOAD, payload));
    }
    Ok(sections)
}

async fn timeline(reader: &mut Reader<'_>, id: Uuid) -> Result<Option<Section>, Failure> {
    if reader.schema.has_index(&HISTORY_BY_ID) {
        let fetched = reader.try_fetch(&INDEXED_TIMELINE, id_arguments(id)?).await?;
        return Ok(Section::rows("timeline", &INDEXED_TIMELINE, fetched));
    }
    let bounds = match reader.try_fetch(&BOUNDS, id_arguments(id)?).await? {
        Fetched::Rows(rows) => BOUNDS.decode_first::<Bounds>(&rows)?.unwrap_or_default(),
        fetched @ (Fetched::Missing | Fetched::Failed(_)) => {
            return Ok(Section::rows("timeline", &BOUNDS, fetched));
        }
    };
    let mut arguments = id_arguments(id)?;
    bind(&mut arguments, bounds.since.as_deref())?;
    bind(&mut arguments, bounds.until.as_deref())?;
    let fetched = reader.try_fetch(&TIMELINE, arguments).await?;
    let is_read = matches!(fetched, Fetched::Rows(_));
    let section = Section::rows("timeline", &TIMELINE, fetched);
    Ok(match unread_period(&bounds).filter(|_| is_read) {
        Some(caveat) => section.map(|section| section.with_caveat(caveat)),
        None => section,
    })
}

/// Describes the part of the history in which the timeline was not searched.
fn unread_period(bounds: &Bounds) -> Option<String> {
    let sides = [("before", &bounds.since), ("after", &bounds.until)];
    let sides: Vec<String> = sides
        .iter()
        .filter_map(|(side, instant)| Some(format!("{side} {}", table::to_the_second(instant.as_deref()?))))
        .collect();
    (!sides.is_empty()).then(|| {
        format!(
            "rows recorded {} were not looked for; with an index on job_history (id) all are found",
            sides.join(" or ")
        )
    })
}

/// Returns the error for an id without a job, which names the archive if the job is there.
async fn no_such_job(reader: &mut Reader<'_>, id: Uuid) -> Result<Failure, Failure> {
    let schema = reader.config.database.schema.quoted();
    let archive = match reader.try_fetch(&ARCHIVED, id_arguments(id)?).await? {
        Fetched::Rows(rows) => match ARCHIVED.decode_first::<ArchivedJob>(&rows)? {
            Some(ArchivedJob { queue, state, archived_on }) => {
                let message = format!(
                    "there is no job {id} in the schema {schema} any more: it was {} and of the queue {}, and has been \
                     in the archive since {}",
                    state.unwrap_or_default(),
                    Value::from(queue),
                    archived_on.unwrap_or_default()
                );
                return Ok(Failure::new(Reason::Other, message));
            }
            None => "it is not in the archive either",
        },
        Fetched::Missing => "there is no archive here",
        Fetched::Failed(_) => "the archive, where it may be, could not be read",
    };
    let message =
        format!("there is no job {id} in the schema {schema}: {archive}; it was purged or never existed");
    Ok(Failure::new(Reason::Other, message))
}
