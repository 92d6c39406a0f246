//! The numbers that `top` shows.

use serde_json::Value;
use tokio::time::Instant;

use super::panes::Part;

/// All that is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) database: String,
    /// The database's clock at the last refresh.
    pub(super) instant: String,
    pub(super) refreshed: Option<Instant>,
    /// In the order of [`Part::ALL`].
    pub(super) parts: [Shown; Part::ALL.len()],
    /// Why the database cannot be reached, and when it is tried again.
    pub(super) trouble: Option<(String, Instant)>,
}

/// One part's latest rows, and why there are none newer.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) taken: Option<Instant>,
    pub(super) failure: Option<String>,
}

impl Numbers {
    pub(super) fn part(&self, part: Part) -> &Shown {
        &self.parts[part as usize]
    }
}
