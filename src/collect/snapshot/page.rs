//! The texts of the collectors that a scrape receives, shared by the snapshot and all responses.

use std::io;
use std::sync::{Arc, OnceLock};

use hyper::body::Bytes;
use once_cell::sync::OnceCell;
use tokio::time::Instant;

use super::gzip::Deflated;

/// The text that a collector publishes until its next run.
#[derive(Debug, Default)]
pub struct Text {
    pub bytes: Bytes,
    /// The text compressed, from the first scrape that accepts gzip.
    deflated: OnceCell<Deflated>,
    /// When a scrape first received it in full.
    first_scrape: OnceLock<Instant>,
}

/// The texts of all collectors at one time.
#[derive(Debug, Clone, Default)]
pub struct Page(pub Vec<Arc<Text>>);

impl Text {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Returns the text compressed, the same bytes for each caller.
    pub fn deflated(&self) -> io::Result<&Deflated> {
        self.deflated.get_or_try_init(|| Deflated::new(&self.bytes))
    }

    pub(super) fn first_scrape(&self) -> Option<Instant> {
        self.first_scrape.get().copied()
    }
}

impl Page {
    /// Records that a scrape has received these texts.
    pub fn record_scrape(&self) {
        let now = Instant::now();
        for text in &self.0 {
            text.first_scrape.get_or_init(|| now);
        }
    }
}
