//! Faults of the database while the binary runs: the database disappears, hangs, changes or fills up.
//!
//! During each fault `/metrics` answers and reports it. Afterwards numbers are fresh within two intervals, without a
//! restart. `FAULTS_ROWS=10000000 cargo test --test program faults::flood` writes ten million rows instead of 100,000
//! (10 GB, half an hour on a busy machine).

mod dates;
mod flood;
mod gone;
mod hanging;
mod hole;
mod lock_table;
mod migrated;
mod outage_log;
mod pooler;
mod signals;
mod standby;
