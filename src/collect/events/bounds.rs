//! Bounds of the histograms' buckets, in the database's units: microseconds or retries. Whole numbers, so that a value
//! that equals a bound is in its bucket, and sums are exact.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::families::{DAG_RUN, JOB_RETRIES, JOB_RUN, JOB_TURNAROUND, JOB_WAIT};
use crate::config::EventsConfig;
use crate::metrics::Family;

const RETRIES: [i64; 6] = [0, 1, 2, 3, 5, 8];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) wait: Vec<i64>,
    /// Also the bounds for turnarounds.
    pub(super) run: Vec<i64>,
    pub(super) dag: Vec<i64>,
    pub(super) retries: Vec<i64>,
}

impl Bounds {
    pub(super) fn new(config: &EventsConfig) -> Self {
        let micros = |bounds: &[Duration]| {
            bounds.iter().map(|bound| i64::try_from(bound.as_micros()).unwrap_or(i64::MAX)).collect()
        };
        Bounds {
            wait: micros(&config.wait.0),
            run: micros(&config.run.0),
            dag: micros(&config.dag.0),
            retries: RETRIES.to_vec(),
        }
    }

    /// Returns the bounds of a family. Empty for a counter.
    pub(super) fn of_family(&self, family: &Family) -> &[i64] {
        match family.name {
            name if name == JOB_WAIT.name => &self.wait,
            name if name == JOB_RUN.name || name == JOB_TURNAROUND.name => &self.run,
            name if name == JOB_RETRIES.name => &self.retries,
            name if name == DAG_RUN.name => &self.dag,
            _ => &[],
        }
    }
}

/// Returns how many units of the database make one unit of the family.
pub(super) fn database_units(family: &Family) -> f64 {
    if family.name == JOB_RETRIES.name { 1.0 } else { 1e6 }
}
