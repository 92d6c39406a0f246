//! Availability of a collector on this database: whether it runs, and which of its queries are skipped and why.
//!
//! Input: the configuration and the [`Schema`]. No query is run. The exporter publishes the result as
//! `marie_collector_enabled` and `marie_collector_disabled_info`; the status page shows it too.

use std::fmt;

use crate::collect::collector::Collector;
use crate::config::Config;
use crate::schema::{Lack, Schema};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Switched off by the configuration.
    Disabled,
    /// None of the collector's queries can run.
    Lacking(Lack),
    Available {
        skipped: Vec<SkippedQuery>,
    },
}

/// A query that cannot run, of a collector that has others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedQuery {
    pub file: &'static str,
    pub lack: Lack,
}

impl Availability {
    /// Every value of [`Availability::reason`].
    pub const REASONS: [&str; 4] = ["disabled", "missing_table", "permission", "lock_limit"];

    /// Determines the availability of a collector. A collector counts as available before the schema is first read.
    pub fn new(collector: &Collector, config: &Config, schema: Option<&Schema>) -> Self {
        if !config.collectors.is_enabled(collector.name) {
            return Availability::Disabled;
        }
        let Some(schema) = schema else { return Availability::Available { skipped: Vec::new() } };
        if let Some(lack) = collector.lack(config, schema) {
            return Availability::Lacking(lack);
        }
        let skipped = collector
            .wanted_queries(config)
            .filter_map(|query| Some(SkippedQuery { file: query.sql.name, lack: query.lack(schema)? }))
            .collect();
        Availability::Available { skipped }
    }

    /// Returns why the collector does not run: the label `reason` of `marie_collector_disabled_info`.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Availability::Disabled => Some("disabled"),
            Availability::Lacking(lack) => Some(lack.reason()),
            Availability::Available { .. } => None,
        }
    }

    /// Returns what does not run because of a right or a setting of the server, which the operator can change.
    ///
    /// A missing table is not included, because the schema comes in several shapes.
    pub fn denials(&self) -> Vec<String> {
        match self {
            Availability::Lacking(lack) if lack.can_be_changed() => vec![lack.to_string()],
            Availability::Disabled | Availability::Lacking(_) => Vec::new(),
            Availability::Available { skipped } => {
                let denied = skipped.iter().filter(|skipped| skipped.lack.can_be_changed());
                denied.map(ToString::to_string).collect()
            }
        }
    }
}

impl fmt::Display for SkippedQuery {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.file, self.lack)
    }
}
