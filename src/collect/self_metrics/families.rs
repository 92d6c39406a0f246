//! Families of the exporter's own metrics. Their help texts are HELP on `/metrics` and the rows of docs/metrics.md.

use crate::metrics::{Family, Kind};

/// All families, in the order of the metric table.
pub static FAMILIES: &[&Family] = &[
    &UP,
    &BUILD_INFO,
    &WEB_CONFIG,
    &DATABASE_INFO,
    &CLOCK_OFFSET,
    &BUSY,
    &ENABLED,
    &DISABLED_INFO,
    &SUCCESS,
    &RUNS,
    &FAILURES,
    &DURATION,
    &LAST_DURATION,
    &LAST_SUCCESS,
    &LAST_START,
    &INTERVAL,
    &SERIES,
];

const PER_RUN: &[&str] = &["collector", "pace"];

pub(super) static UP: Family = Family::new(
    "marie_up",
    Kind::Gauge,
    &[],
    "1 if the last attempt to reach the database succeeded, 0 if not.",
);
pub(super) static BUILD_INFO: Family = Family::new(
    "marie_exporter_build_info",
    Kind::Gauge,
    &["version", "revision", "rustc"],
    "1. The labels name the source and the compiler of this build.",
);
pub(super) static WEB_CONFIG: Family = Family::new(
    "marie_exporter_web_config_last_reload_successful",
    Kind::Gauge,
    &[],
    "1 if the web configuration and its certificates could be used as last read, 0 if not and those before are in force.",
);
pub(super) static DATABASE_INFO: Family = Family::new(
    "marie_database_info",
    Kind::Gauge,
    &["schema", "shape", "server_version", "in_recovery"],
    "1. The labels name the monitored schema, its shape (old, mid, new, page, or none without a job table) and the server's \
     version and role.",
);
pub(super) static CLOCK_OFFSET: Family = Family::new(
    "marie_database_clock_offset_seconds",
    Kind::Gauge,
    &[],
    "The database's clock minus the exporter's, measured once a minute.",
);
pub(super) static BUSY: Family = Family::new(
    "marie_database_busy_seconds_total",
    Kind::Counter,
    &["pace"],
    "Time that statements took in the database, network included: what monitoring costs. By pace (pulse, events, backlog, \
     history), and catalog for reading the schema and the names of the queues.",
);
pub(super) static ENABLED: Family = Family::new(
    "marie_collector_enabled",
    Kind::Gauge,
    &["collector"],
    "1 if the collector runs, 0 if not (marie_collector_disabled_info says why).",
);
pub(super) static DISABLED_INFO: Family = Family::new(
    "marie_collector_disabled_info",
    Kind::Gauge,
    &["collector", "reason"],
    "1 for each collector that does not run: disabled (by flag), missing_table, permission, lock_limit.",
);
pub(super) static SUCCESS: Family = Family::new(
    "marie_collector_success",
    Kind::Gauge,
    PER_RUN,
    "1 if the collector's last run succeeded, 0 if not.",
);
pub(super) static RUNS: Family = Family::new(
    "marie_collector_runs_total",
    Kind::Counter,
    PER_RUN,
    "Runs of the collector, failed ones included.",
);
pub(super) static FAILURES: Family = Family::new(
    "marie_collector_failures_total",
    Kind::Counter,
    &["collector", "pace", "reason"],
    "Failed runs by reason: timeout, lock, conflict (with recovery on a standby), permission, schema_changed, \
     unavailable, history_lost (events cannot be counted), other.",
);
pub(super) static DURATION: Family = Family::new(
    "marie_collector_duration_seconds",
    Kind::Histogram,
    PER_RUN,
    "How long runs took, pauses of the load budget between their slices included.",
);
pub(super) static LAST_DURATION: Family =
    Family::new("marie_collector_last_duration_seconds", Kind::Gauge, PER_RUN, "How long the last run took.");
pub(super) static LAST_SUCCESS: Family = Family::new(
    "marie_collector_last_success_timestamp_seconds",
    Kind::Gauge,
    PER_RUN,
    "Unix time at which the last successful run ended, by the exporter's clock as it is set now.",
);
pub(super) static LAST_START: Family = Family::new(
    "marie_collector_last_success_start_timestamp_seconds",
    Kind::Gauge,
    PER_RUN,
    "Unix time at which the last successful run began: no number that it published is older. At the paces backlog and \
     history a run reads its jobs in slices, one after another; at the others it is of one instant.",
);
pub(super) static INTERVAL: Family = Family::new(
    "marie_collector_interval_seconds",
    Kind::Gauge,
    PER_RUN,
    "The interval in force: as configured, or longer because the load budget delays the runs.",
);
pub(super) static SERIES: Family = Family::new(
    "marie_exporter_series",
    Kind::Gauge,
    &["collector"],
    "Series that the collector publishes now.",
);
