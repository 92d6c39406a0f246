//! The listings of `jobs show`, one for each section. `show` reads them and puts the sections together.

use serde::Deserialize;

use crate::collect::collector::declare::sql;
use crate::collect::collector::{Query, SqlFile};
use crate::inspect::fallbacks::{DEPENDENCIES_OF_ALL, NO_DEPENDENCIES};
use crate::inspect::listing::{Listing, QUERY, duration, listing, number, state, text, time, unprinted};
use crate::schema::Index;

listing! {
    pub(super) JOB, sql!("show/job.sql"); "job",
    [
        text("id"),
        text("queue").from("name"),
        state("state"),
        text("dag_id").optional("uuid"),
        number("priority").optional("int"),
        number("retry_count"),
        number("retry_limit"),
        time("created_on"),
        time("started_on"),
        time("completed_on"),
        duration("last_attempt").computed(),
        time("soft_sla").optional("timestamptz"),
        time("hard_sla").optional("timestamptz"),
    ],
    Query { ..QUERY }
}

listing! {
    pub(super) SETTINGS, sql!("show/settings.sql"); "job",
    [
        unprinted("id"),
        number("level").from("job_level").optional("int"),
        time("start_after").optional("timestamptz"),
        duration("retry_delay").optional("int"),
        text("retry_backoff").optional("bool"),
        duration("expire_in").optional("interval"),
        time("keep_until").optional("timestamptz"),
        text("policy").optional("text"),
        text("dead_letter").optional("text"),
    ],
    Query { ..QUERY }
}

listing! {
    pub(super) LEASES, sql!("show/leases.sql"); "job",
    [
        unprinted("id"),
        text("lease_owner"),
        time("lease_expires_at"),
        number("lease_epoch"),
        text("run_owner"),
        time("run_lease_expires_at"),
    ],
    Query { ..QUERY }
}

listing! {
    pub(super) PARENTS, sql!("show/parents.sql"); "job",
    [
        text("id"),
        text("queue").from("name"),
        state("state"),
        time("started_on"),
        time("completed_on"),
        unprinted("dependencies"),
    ],
    Query { fallbacks: &[NO_DEPENDENCIES], ..QUERY }
}

listing! {
    pub(super) CHILDREN, sql!("show/children.sql"); "job",
    [
        text("id"),
        text("queue").from("name"),
        state("state"),
        time("started_on"),
        time("completed_on"),
    ],
    Query { fallbacks: &[DEPENDENCIES_OF_ALL], ..QUERY }
}

listing! {
    pub(super) ATTEMPTS, sql!("show/attempts.sql"); "job_attempt",
    [
        unprinted("job_id"),
        text("run_attempt_id"),
        text("state").from("attempt_state"),
        text("run_owner"),
        text("executor"),
        time("activated_at"),
        time("terminal_at"),
        text("terminal_status"),
        text("terminal_accepted"),
        text("reject_reason").from("terminal_reject_reason"),
        time("recovery_at"),
        text("recovery_state"),
        text("recovery_reason"),
    ],
    Query { ..QUERY }
}

/// The period in which the history of a job was written. Only rows of this period are read if no index finds a job's rows.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Bounds {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

listing! {
    pub(super) BOUNDS, sql!("show/bounds.sql"); "job",
    [
        unprinted("id"),
        unprinted("state"),
        unprinted("started_on"),
        time("since").from("created_on"),
        time("until").from("completed_on"),
    ],
    Query { ..QUERY }
}

pub(super) const HISTORY_BY_ID: Index = Index { table: "job_history", columns: &["id"], predicate: None };

listing! {
    pub(super) TIMELINE, SqlFile {
        name: "show/timeline.sql",
        text: concat!(
            "with recursive ",
            include_str!("show/reach.sql"),
            include_str!("show/timeline.sql")
        ),
    };
    "job_history",
    [
        unprinted("history_id"),
        unprinted("id"),
        time("recorded_on").from("history_created_on"),
        state("state"),
        number("retry_count"),
        time("started_on"),
        time("completed_on"),
        text("run_attempt_id").optional("uuid"),
    ],
    Query { ..QUERY }
}

/// The same for databases with the index [`HISTORY_BY_ID`]: all rows of the job. It needs no other column, so it is not
/// among the queries of the command.
pub(super) static INDEXED_TIMELINE: Listing = Listing {
    columns: TIMELINE.columns,
    query: Query {
        sql: SqlFile {
            name: "show/timeline.sql",
            text: concat!(
                "with reach (low, high) as (select 0, 9223372036854775807)\n",
                include_str!("show/timeline.sql")
            ),
        },
        needs: TIMELINE.query.needs,
        optional: TIMELINE.query.optional,
        ..QUERY
    },
};

/// A job that was moved to the archive.
#[derive(Debug, Deserialize)]
pub(super) struct ArchivedJob {
    pub(super) queue: Option<String>,
    pub(super) state: Option<String>,
    pub(super) archived_on: Option<String>,
}

listing! {
    pub(super) ARCHIVED, sql!("show/archived.sql"); "archive",
    [
        unprinted("id"),
        text("queue").from("name"),
        text("state"),
        time("completed_on"),
        time("archived_on"),
    ],
    Query { ..QUERY }
}

listing! {
    /// The exporter's own role may not read it.
    pub(super) PAYLOAD, sql!("show/payload.sql"); "job",
    [unprinted("id"), text("data"), text("output").optional("jsonb")],
    Query { ..QUERY }
}
