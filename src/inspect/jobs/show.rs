//! `marie-exporter jobs show`: one job with all that belongs to it. Each section stands for itself: what this database
//! does not have is left out, and what cannot be read in time says so in its place.

use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use super::sections::{
    ARCHIVED, ATTEMPTS, BOUNDS, CHILDREN, HISTORY_BY_ID, INDEXED_TIMELINE, JOB, LEASES, PARENTS, PAYLOAD,
    SETTINGS, TIMELINE,
};
use crate::inspect::args::JobsShow;
use crate::inspect::arguments::add;
use crate::inspect::reader::{Part, Reader};
use crate::inspect::sheet::{Body, Section, Sheet};
use crate::postgres::{Failure, Reason};
use crate::terminal::columns::Column;
use crate::terminal::table;

/// # Errors
/// Where there is no such job, its payload is asked for and may not be read, or the database goes away.
pub(in crate::inspect) async fn show(reader: &mut Reader<'_>, asked: &JobsShow) -> Result<Sheet, Failure> {
    let id = asked.id;
    if asked.payload {
        reader.may_run(&PAYLOAD.query)?;
    }
    let job = reader.rows(&JOB, just(id)?).await?;
    let Some(fields) = job.rows.into_iter().next() else {
        return Err(missing(reader, id).await?);
    };
    let mut fields: Vec<(Column, Value)> = JOB.columns.iter().copied().zip(fields).collect();
    let settings = reader.part(&SETTINGS, just(id)?).await?;
    let mut sheet = Sheet::default();
    if let Part::Rows(settings) = settings {
        let settings = settings.rows.into_iter().next().unwrap_or_default();
        fields.extend(SETTINGS.columns.iter().copied().zip(settings));
        sheet.push("job", Body::Fields(fields));
    } else {
        sheet.push("job", Body::Fields(fields));
        sheet.push_part("settings", &SETTINGS, settings);
    }
    let leases = reader.part(&LEASES, just(id)?).await?;
    sheet.sections.extend(Section::of_one("leases", &LEASES, leases));
    for (title, listing) in [("parents", &PARENTS), ("children", &CHILDREN), ("attempts", &ATTEMPTS)] {
        let part = reader.part(listing, just(id)?).await?;
        sheet.push_part(title, listing, part);
    }
    // Last, for it can take long.
    sheet.sections.extend(timeline(reader, id).await?);
    if asked.payload {
        let payload = reader.part(&PAYLOAD, just(id)?).await?;
        sheet.sections.extend(Section::of_documents(&PAYLOAD, payload));
    }
    Ok(sheet)
}

async fn timeline(reader: &mut Reader<'_>, id: Uuid) -> Result<Option<Section>, Failure> {
    if reader.schema.has_index(&HISTORY_BY_ID) {
        let part = reader.part(&INDEXED_TIMELINE, just(id)?).await?;
        return Ok(Section::of_rows("timeline", &INDEXED_TIMELINE, part));
    }
    let bounds = match reader.part(&BOUNDS, just(id)?).await? {
        Part::Rows(bounds) => bounds.rows.into_iter().next().unwrap_or_default(),
        part @ (Part::NotHere | Part::Failed(_)) => {
            return Ok(Section::of_rows("timeline", &BOUNDS, part));
        }
    };
    let instant = |place: usize| bounds.get(place).and_then(Value::as_str);
    let (since, until) = (instant(0), instant(1));
    let mut arguments = just(id)?;
    add(&mut arguments, since)?;
    add(&mut arguments, until)?;
    let part = reader.part(&TIMELINE, arguments).await?;
    let is_read = matches!(part, Part::Rows(_));
    let section = Section::of_rows("timeline", &TIMELINE, part);
    Ok(match unseen(since, until).filter(|_| is_read) {
        Some(unseen) => section.map(|section| section.with_caveat(unseen)),
        None => section,
    })
}

/// Which rows the timeline cannot have, because nobody looked for them.
fn unseen(since: Option<&str>, until: Option<&str>) -> Option<String> {
    let sides = [("before", since), ("after", until)];
    let sides: Vec<String> = sides
        .iter()
        .filter_map(|(side, instant)| Some(format!("{side} {}", table::to_the_second((*instant)?))))
        .collect();
    (!sides.is_empty()).then(|| {
        format!(
            "rows recorded {} were not looked for; with an index on job_history (id) all are found",
            sides.join(" or ")
        )
    })
}

fn just(id: Uuid) -> Result<PgArguments, Failure> {
    let mut arguments = PgArguments::default();
    add(&mut arguments, id)?;
    Ok(arguments)
}

/// That there is no such job, and where it may be.
async fn missing(reader: &mut Reader<'_>, id: Uuid) -> Result<Failure, Failure> {
    let schema = reader.config.database.schema.quoted();
    let archive = match reader.part(&ARCHIVED, just(id)?).await? {
        Part::Rows(archived) => match archived.rows.first().map(Vec::as_slice) {
            Some([queue, state, _, archived_on]) => {
                let message = format!(
                    "there is no job {id} in the schema {schema} any more: it was {} and of the queue {queue}, and \
                     has been in the archive since {}",
                    state.as_str().unwrap_or_default(),
                    archived_on.as_str().unwrap_or_default()
                );
                return Ok(Failure::new(Reason::Other, message));
            }
            _ => "it is not in the archive either",
        },
        Part::NotHere => "there is no archive here",
        Part::Failed(_) => "the archive, where it may be, could not be read",
    };
    let message =
        format!("there is no job {id} in the schema {schema}: {archive}; it was purged, or never there");
    Ok(Failure::new(Reason::Other, message))
}
