//! What happens to the database at night, with the real binary beside it: it goes, hangs, changes, fills up. While
//! each fault comes and goes `/metrics` answers, says what is wrong, and shows fresh numbers again within two
//! intervals, without a restart. `FAULTS_ROWS=10000000 cargo test --test faults ten_million` writes all of the flood
//! (10 GB, half an hour on a busy machine); without it there are 100,000 rows.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/databases.rs"]
mod databases;
#[path = "../support/metrics.rs"]
mod metrics;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/process.rs"]
mod process;
#[path = "../support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/scrape.rs"]
mod scrape;
#[path = "../support/watch.rs"]
mod watch;

mod dates;
mod flood;
mod gone;
mod hanging;
mod hole;
mod lock_table;
mod migrated;
mod pooler;
mod signals;
mod standby;
mod told;
