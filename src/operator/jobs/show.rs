//! `marie-exporter jobs show`: one job with all that belongs to it. Each section stands for itself: what this database
//! does not have is left out, and what cannot be read in time says so in its place.

use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use crate::collector::{Query, SqlFile};
use crate::collectors::sql;
use crate::config::JobsShow;
use crate::database::{Failure, Reason};
use crate::operator::listing::{Column, Listing, duration, number, state, text, time};
use crate::operator::print;
use crate::operator::reader::{Part, Reader, add};
use crate::operator::sheet::{Body, Section, Sheet};
use crate::operator::{QUERY, stand_ins};
use crate::schema::{Index, Need};

pub(in crate::operator) static JOB: Listing = Listing {
    columns: &[
        text("id"),
        text("queue"),
        state("state"),
        text("dag_id"),
        number("priority"),
        number("retry_count"),
        number("retry_limit"),
        time("created_on"),
        time("started_on"),
        time("completed_on"),
        duration("last_attempt"),
        time("soft_sla"),
        time("hard_sla"),
    ],
    query: Query {
        sql: sql!("show/job.sql"),
        needs: &[Need::Columns(
            "job",
            &[
                "id",
                "name",
                "state",
                "dag_id",
                "priority",
                "retry_count",
                "retry_limit",
                "created_on",
                "started_on",
                "completed_on",
                "soft_sla",
                "hard_sla",
            ],
        )],
        ..QUERY
    },
};

pub(in crate::operator) static SETTINGS: Listing = Listing {
    columns: &[
        number("level"),
        time("start_after"),
        duration("retry_delay"),
        text("retry_backoff"),
        duration("expire_in"),
        time("keep_until"),
        text("policy"),
        text("dead_letter"),
    ],
    query: Query {
        sql: sql!("show/settings.sql"),
        needs: &[Need::Columns(
            "job",
            &[
                "id",
                "job_level",
                "start_after",
                "retry_delay",
                "retry_backoff",
                "expire_in",
                "keep_until",
                "policy",
                "dead_letter",
            ],
        )],
        ..QUERY
    },
};

pub(in crate::operator) static LEASES: Listing = Listing {
    columns: &[
        text("lease_owner"),
        time("lease_expires_at"),
        number("lease_epoch"),
        text("run_owner"),
        time("run_lease_expires_at"),
    ],
    query: Query {
        sql: sql!("show/leases.sql"),
        needs: &[Need::Columns(
            "job",
            &["id", "lease_owner", "lease_expires_at", "lease_epoch", "run_owner", "run_lease_expires_at"],
        )],
        ..QUERY
    },
};

const RELATIVES: &[Column] =
    &[text("id"), text("queue"), state("state"), time("started_on"), time("completed_on")];

pub(in crate::operator) static PARENTS: Listing = Listing {
    columns: RELATIVES,
    query: Query {
        sql: sql!("show/parents.sql"),
        needs: &[Need::Columns(
            "job",
            &["id", "name", "state", "started_on", "completed_on", "dependencies"],
        )],
        stand_ins: &[stand_ins::NO_DEPENDENCIES],
        ..QUERY
    },
};

pub(in crate::operator) static CHILDREN: Listing = Listing {
    columns: RELATIVES,
    query: Query {
        sql: sql!("show/children.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "started_on", "completed_on"])],
        stand_ins: &[stand_ins::DEPENDENCIES_OF_ALL],
        ..QUERY
    },
};

pub(in crate::operator) static ATTEMPTS: Listing = Listing {
    columns: &[
        text("run_attempt_id"),
        text("state"),
        text("run_owner"),
        text("executor"),
        time("activated_at"),
        time("terminal_at"),
        text("terminal_status"),
        text("terminal_accepted"),
        text("reject_reason"),
        time("recovery_at"),
        text("recovery_state"),
        text("recovery_reason"),
    ],
    query: Query {
        sql: sql!("show/attempts.sql"),
        needs: &[Need::Columns(
            "job_attempt",
            &[
                "run_attempt_id",
                "job_id",
                "attempt_state",
                "run_owner",
                "executor",
                "activated_at",
                "terminal_at",
                "terminal_status",
                "terminal_accepted",
                "terminal_reject_reason",
                "recovery_at",
                "recovery_state",
                "recovery_reason",
            ],
        )],
        ..QUERY
    },
};

/// Of the rows of the history that are looked at where no index finds a job's.
pub(in crate::operator) static BOUNDS: Listing = Listing {
    columns: &[time("since"), time("until")],
    query: Query {
        sql: sql!("show/bounds.sql"),
        needs: &[Need::Columns("job", &["id", "state", "created_on", "started_on", "completed_on"])],
        ..QUERY
    },
};

const TIMELINE_COLUMNS: &[Column] = &[
    time("recorded_on"),
    state("state"),
    number("retry_count"),
    time("started_on"),
    time("completed_on"),
    text("run_attempt_id"),
];

const HISTORY: Need = Need::Columns(
    "job_history",
    &["history_id", "id", "state", "retry_count", "started_on", "completed_on", "history_created_on"],
);

const HISTORY_BY_ID: Index = Index { table: "job_history", columns: &["id"], predicate: None };

pub(in crate::operator) static TIMELINE: Listing = Listing {
    columns: TIMELINE_COLUMNS,
    query: Query {
        sql: SqlFile {
            name: "show/timeline.sql",
            text: concat!(
                "with recursive ",
                include_str!("show/reach.sql"),
                include_str!("show/timeline.sql")
            ),
        },
        needs: &[HISTORY],
        stand_ins: &[stand_ins::HISTORY_WITHOUT_ATTEMPTS],
        ..QUERY
    },
};

/// The same where an index finds the job's rows; `QUERIES` need not name it, for it reads less.
static INDEXED_TIMELINE: Listing = Listing {
    columns: TIMELINE_COLUMNS,
    query: Query {
        sql: SqlFile {
            name: "show/timeline.sql",
            text: concat!(
                "with reach (low, high) as (select 0, 9223372036854775807)\n",
                include_str!("show/timeline.sql")
            ),
        },
        needs: &[HISTORY],
        stand_ins: &[stand_ins::HISTORY_WITHOUT_ATTEMPTS],
        ..QUERY
    },
};

pub(in crate::operator) static ARCHIVED: Listing = Listing {
    columns: &[text("queue"), text("state"), time("completed_on"), time("archived_on")],
    query: Query {
        sql: sql!("show/archived.sql"),
        needs: &[Need::Columns("archive", &["id", "name", "state", "completed_on", "archived_on"])],
        ..QUERY
    },
};

/// Takes more than the exporter's role may read.
static PAYLOAD: Listing = Listing {
    columns: &[text("data"), text("output")],
    query: Query {
        sql: sql!("show/payload.sql"),
        needs: &[Need::Columns("job", &["id", "data"])],
        stand_ins: &[stand_ins::NO_OUTPUT],
        ..QUERY
    },
};

/// # Errors
/// Where there is no such job, its payload is asked for and may not be read, or the database goes away.
pub(in crate::operator) async fn show(reader: &mut Reader<'_>, asked: &JobsShow) -> Result<Sheet, Failure> {
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
        .filter_map(|(side, instant)| Some(format!("{side} {}", print::to_the_second((*instant)?))))
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
