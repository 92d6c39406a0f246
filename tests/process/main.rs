//! Faults of the process itself: no descriptors, no disk, a clock that is set, crowds, nonsense, a twin. It goes on, and recovers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]
#![allow(dead_code, reason = "other test binaries use the rest of the support")]

#[path = "../support/databases.rs"]
mod databases;
#[path = "../support/memory.rs"]
mod memory;
#[path = "../support/metrics.rs"]
mod metrics;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/scrape.rs"]
mod scrape;
#[path = "../support/watch.rs"]
mod watch;

#[cfg(target_os = "linux")]
mod clock;
mod crowds;
mod flooded;
mod limits;
mod nonsense;
mod silent;
mod twins;
mod unread;
