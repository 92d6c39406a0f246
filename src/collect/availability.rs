//! Whether a collector runs here, and which of its queries are left out: what the configuration and the
//! database's schema say of it before any run.

use std::fmt;

use crate::collect::collector::Collector;
use crate::config::Config;
use crate::schema::{Lack, Schema};

/// Whether a collector runs, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    Disabled,
    /// None of its queries can run here.
    Lacking(Lack),
    Available {
        skipped: Vec<SkippedQuery>,
    },
}

/// A query without which its collector runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedQuery {
    pub file: &'static str,
    pub lack: Lack,
}

impl Availability {
    /// How the collector stands; `schema` where it is known by now.
    pub fn of(collector: &Collector, config: &Config, schema: Option<&Schema>) -> Self {
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

    /// Why the collector does not run, if so, as `marie_collector_disabled_info` says it.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Availability::Disabled => Some("disabled"),
            Availability::Lacking(lack) => Some(lack.reason()),
            Availability::Available { .. } => None,
        }
    }

    /// What does not run because a right or a setting of the server forbids it, which the operator can change and may not
    /// know of. A missing table is not among it: schemas come in several shapes.
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
