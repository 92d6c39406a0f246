//! What `jobs show` tells of a job, section by section: each a query with its columns. `show` puts them together.

use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::{Query, SqlFile};
use crate::inspect::listing::Listing;
use crate::inspect::{QUERY, fallbacks};
use crate::schema::{Index, Need};
use crate::terminal::columns::{Column, duration, number, state, text, time};

pub(in crate::inspect) static JOB: Listing = Listing {
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
                "retry_count",
                "retry_limit",
                "created_on",
                "started_on",
                "completed_on",
            ],
        )],
        optional: &[
            optional!("job"."dag_id": "uuid"),
            optional!("job"."priority": "int"),
            optional!("job"."soft_sla": "timestamptz"),
            optional!("job"."hard_sla": "timestamptz"),
        ],
        ..QUERY
    },
};

pub(in crate::inspect) static SETTINGS: Listing = Listing {
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
        needs: &[Need::Columns("job", &["id"])],
        optional: &[
            optional!("job"."job_level": "int"),
            optional!("job"."start_after": "timestamptz"),
            optional!("job"."retry_delay": "int"),
            optional!("job"."retry_backoff": "bool"),
            optional!("job"."expire_in": "interval"),
            optional!("job"."keep_until": "timestamptz"),
            optional!("job"."policy": "text"),
            optional!("job"."dead_letter": "text"),
        ],
        ..QUERY
    },
};

pub(in crate::inspect) static LEASES: Listing = Listing {
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

pub(in crate::inspect) static PARENTS: Listing = Listing {
    columns: RELATIVES,
    query: Query {
        sql: sql!("show/parents.sql"),
        needs: &[Need::Columns(
            "job",
            &["id", "name", "state", "started_on", "completed_on", "dependencies"],
        )],
        fallbacks: &[fallbacks::NO_DEPENDENCIES],
        ..QUERY
    },
};

pub(in crate::inspect) static CHILDREN: Listing = Listing {
    columns: RELATIVES,
    query: Query {
        sql: sql!("show/children.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "started_on", "completed_on"])],
        fallbacks: &[fallbacks::DEPENDENCIES_OF_ALL],
        ..QUERY
    },
};

pub(in crate::inspect) static ATTEMPTS: Listing = Listing {
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
pub(in crate::inspect) static BOUNDS: Listing = Listing {
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

pub(in crate::inspect) const HISTORY_BY_ID: Index =
    Index { table: "job_history", columns: &["id"], predicate: None };

pub(in crate::inspect) static TIMELINE: Listing = Listing {
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
        optional: &[optional!("job_history"."run_attempt_id": "uuid")],
        ..QUERY
    },
};

/// The same where an index finds the job's rows; `QUERIES` need not name it, for it reads less.
pub(in crate::inspect) static INDEXED_TIMELINE: Listing = Listing {
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
        optional: &[optional!("job_history"."run_attempt_id": "uuid")],
        ..QUERY
    },
};

pub(in crate::inspect) static ARCHIVED: Listing = Listing {
    columns: &[text("queue"), text("state"), time("completed_on"), time("archived_on")],
    query: Query {
        sql: sql!("show/archived.sql"),
        needs: &[Need::Columns("archive", &["id", "name", "state", "completed_on", "archived_on"])],
        ..QUERY
    },
};

/// Takes more than the exporter's role may read.
pub(in crate::inspect) static PAYLOAD: Listing = Listing {
    columns: &[text("data"), text("output")],
    query: Query {
        sql: sql!("show/payload.sql"),
        needs: &[Need::Columns("job", &["id", "data"])],
        optional: &[optional!("job"."output": "jsonb")],
        ..QUERY
    },
};
