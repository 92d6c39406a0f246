//! Whether a collector runs here, and which of its queries are left out: what the configuration and the
//! database's schema say of it before any run.

use std::fmt;

use crate::collect::collector::Collector;
use crate::config::Config;
use crate::schema::{Lack, Schema};

/// Whether a collector runs, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    SwitchedOff,
    /// None of its queries can run here.
    Lacking(Lack),
    Enabled {
        left_out: Vec<LeftOut>,
    },
}

/// A query without which its collector runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub file: &'static str,
    pub lack: Lack,
}

impl Standing {
    /// How the collector stands; `schema` where it is known by now.
    pub fn of(collector: &Collector, config: &Config, schema: Option<&Schema>) -> Self {
        if !config.collectors.is_enabled(collector.name) {
            return Standing::SwitchedOff;
        }
        let Some(schema) = schema else { return Standing::Enabled { left_out: Vec::new() } };
        if let Some(lack) = collector.lack(config, schema) {
            return Standing::Lacking(lack);
        }
        let left_out = collector
            .wanted_queries(config)
            .filter_map(|query| Some(LeftOut { file: query.sql.name, lack: query.lack(schema)? }))
            .collect();
        Standing::Enabled { left_out }
    }

    /// Why the collector does not run, if so, as `marie_collector_disabled_info` says it.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Standing::SwitchedOff => Some("disabled"),
            Standing::Lacking(lack) => Some(lack.reason()),
            Standing::Enabled { .. } => None,
        }
    }

    /// What does not run because a right or a setting of the server forbids it, which the operator can change and may not
    /// know of. A missing table is not among it: schemas come in several shapes.
    pub fn denials(&self) -> Vec<String> {
        match self {
            Standing::Lacking(lack) if lack.can_be_changed() => vec![lack.to_string()],
            Standing::SwitchedOff | Standing::Lacking(_) => Vec::new(),
            Standing::Enabled { left_out } => {
                let denied = left_out.iter().filter(|left_out| left_out.lack.can_be_changed());
                denied.map(ToString::to_string).collect()
            }
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.file, self.lack)
    }
}
