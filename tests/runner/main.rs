//! The lanes against a real PostgreSQL that is slow, locked, changed, forbidden, or gone.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

#[path = "../support/databases.rs"]
mod databases;
#[path = "../support/lanes.rs"]
mod lanes;
#[path = "../support/metrics.rs"]
mod metrics;

mod changes;
mod division;
mod load;
mod locks;
mod losses;
mod manners;
mod outages;
mod pruning;
#[path = "../operator/world.rs"]
mod world;
